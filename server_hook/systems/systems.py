"""Which operating system this is: the one place that looks; ``system`` has the same names on each."""

import sys

if sys.platform == "win32":
    from server_hook.systems import windows as system
else:
    from server_hook.systems import posix as system

__all__ = ["system"]

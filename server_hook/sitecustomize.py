"""For a start through PYTHONPATH: record this process, then run the sitecustomize that this file hides.

Prefer the start-up line that is installed with the package; this is for interpreters where nothing can be installed.
"""

# nothing here that an older Python cannot read: it may be run by one

import os
import sys
from importlib.machinery import PathFinder

_HERE = os.path.dirname(os.path.abspath(__file__))


def _start() -> None:
    """Start the hook with this folder's parent importable, and this folder (its modules have common names) not."""
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != _HERE]
    parent = os.path.dirname(_HERE)
    added = parent not in sys.path
    if added:
        sys.path.append(parent)
    try:
        import server_hook

        server_hook.start()
    finally:
        if added:
            sys.path.remove(parent)


def _run_hidden() -> None:
    """Run the environment's own sitecustomize, if it has one."""
    # not from this folder, which stays on the path of an interpreter that is not recorded
    elsewhere = [place for place in sys.path if os.path.abspath(place or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module  # in place of this one, as if it had never been hidden
        spec.loader.exec_module(module)


if os.environ.get("VMPILOT_COV"):
    _start()
_run_hidden()

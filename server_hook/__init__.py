"""Record this process from its start: what a Python start-up line calls.

The package lives in other people's servers. It imports nothing but the standard library and coverage, never raises
into the process, never prints to stdout, and does nothing at all unless ``VMPILOT_COV`` is set.

PYTEST_DONT_REWRITE: pytest rewrites the modules of an installed plugin's distribution, and warns of those that were
imported before it; where warnings are errors, that would end every worker of pytest-xdist.
"""

# nothing here that an older Python cannot read: one that is too old is to say so

import gc
import os
import sys

__all__ = ["start"]


def start() -> None:
    """Start to record this process if ``VMPILOT_COV`` asks for it.

    Safe to call any number of times: a process has one recorder. Whatever goes wrong is one logged line, and the
    process runs on unmeasured.
    """
    if not os.environ.get("VMPILOT_COV"):
        return
    # nearly all that is made here stays, and would be walked again and again
    # Python 3.12 itself has frozen some objects; another one may have no such thing
    postpones, is_frozen = gc.isenabled(), getattr(gc, "get_freeze_count", lambda: 1)()
    if postpones:
        gc.disable()
    try:
        from server_hook.environment import all_at_once, unsupported

        reason = unsupported()
        if reason:
            _say(reason)
            return
        with all_at_once():
            from server_hook import startup

            startup.start_from_environment()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing of ours may stop somebody's process
        _say("%s: %s (start-failed)" % (type(error).__name__, error))  # noqa: UP031 - see above
    finally:
        if postpones:
            if not is_frozen:
                gc.freeze()
                gc.unfreeze()  # both in one step: all is old now, and no collection of what is young walks it
            gc.enable()


def _say(reason: str) -> None:
    text = "this process is not recorded: " + reason
    try:
        from server_hook.problems import log_problem

        log_problem(text)
    except Exception:  # noqa: BLE001 - it may be what cannot be imported
        if sys.stderr is not None:
            sys.stderr.write("vmpilot-cov: " + text + "\n")

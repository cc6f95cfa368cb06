"""Say what went wrong inside somebody's process, in one line and without harm."""

from __future__ import annotations


class HookError(Exception):
    """A setting or a situation that a person has to change; its text says which and how."""


def log_problem(message: str) -> None:
    """Log one warning to the logger ``vmpilot_cov`` (stderr where logging is not configured); never raise."""
    try:
        import logging

        logging.getLogger("vmpilot_cov").warning("vmpilot-cov: %s", message)
    except Exception:  # noqa: BLE001, S110 - a closed stderr is no reason to stop a server
        pass

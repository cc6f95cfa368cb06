"""What a live process answers on its control channel: its status, a dump, a reset."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server_hook.clock import steady
from server_hook.control.channel import Answer
from server_hook.record.unmeasured import check_measured

if TYPE_CHECKING:
    from server_hook.record.recorder import Recorder

VERBS = ("status", "dump", "reset")
RELOADER_VARIABLES = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")
"""Set in the child that serves by the reloaders of Flask's and of Django's development server."""


def answer(recorder: Recorder, do: str, _request: Mapping[str, Any]) -> Answer:
    """Answer one request: ``status`` says how things are, ``dump`` writes first, ``reset`` begins a new epoch.

    Raises:
        ValueError: when the verb is not known.
    """
    if do not in VERBS:
        raise ValueError(f"unknown request {do!r}; known are {', '.join(VERBS)}")
    began = steady()
    check_measured(recorder.cov, recorder.core, recorder.problems)
    if do == "reset":
        recorder.reset()
    elif do == "dump":
        recorder.flush()
    return Answer(
        id=recorder.presence.id,
        pid=recorder.pid,
        origin=recorder.origin,
        lines=recorder.drain.lines,
        segments=recorder.segments,
        flushed_at=recorder.flushed_at,
        interval_s=max(recorder.settings.interval_s, recorder.rest_s),  # after a costly cut it rests for longer
        problem=recorder.problems.latest,
        orphan=is_orphan(recorder.parent),
        took_s=steady() - began,
        reached=recorder.reached.any,
        elsewhere=recorder.reached.elsewhere,
        **recorder.attribution.account(),
    )


def is_orphan(parent: int) -> bool:
    """Tell whether this process serves for a supervisor that has ended and would have ended it.

    That a shell or a daemon's first process has ended means nothing; a worker of ``multiprocessing`` (uvicorn's
    ``--reload`` and ``--workers``, hypercorn, granian) or the child of a reloader is not meant to live on.

    Args:
        parent: the pid of the process that started this one.
    """
    if os.getppid() == parent:
        return False
    processes = sys.modules.get("multiprocessing.process")  # loaded in each of its workers; no import for the rest
    supervisor = processes.parent_process() if processes else None
    return (supervisor is not None and supervisor.pid == parent) or any(
        name in os.environ for name in RELOADER_VARIABLES
    )

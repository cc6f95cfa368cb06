"""Coverage.py's private side, each use in one function, tested on the lowest and newest supported version.

Why at all: ``Coverage.save()`` clears the live sets after it has written them, and so loses what other threads record
meanwhile; no public call copies what was measured and leaves the rest alone. Its collectors, its tracers and their
sets have a file each beside what needs them: ``record.collectors``, ``record.tracers``, ``attribution.swapping``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from copy import copy
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, TypeAlias

from coverage import Coverage, CoverageData, collector, inorout
from coverage.collector import Collector
from coverage.exceptions import ConfigError, CoverageException

from server_hook.arcs import Arcs
from server_hook.packages import locate_package, sysconfig_that_remembers

REFUSALS = (CoverageException, ConfigError)
"""What coverage.py raises when it refuses a configuration or a file; before 7.11 the second is not one of the first."""

LiveSets: TypeAlias = dict[str, set[Any]]
"""What a tracer is filling, by absolute path: line numbers, arcs, or packed arcs."""


class UnsupportedError(Exception):
    """This coverage.py keeps its measurements in a way that is not known here."""


class WatchedCoverage(Coverage):
    """A Coverage that says when a file runs for the first time, and keeps its warnings to itself."""

    on_new_file: Callable[[str, str, FrameType], None] | None = None
    """Called with a file's name, its path if it is measured or nothing, and the frame that runs it; must not raise."""
    is_copied: Callable[[str], bool] | None = None
    """Tells whether a file outside the source, by its path, is to be measured as well; must not raise."""
    is_apart: Callable[[str], bool] | None = None
    """Tells a file of which nothing is measured by its name, without looking at it; must not raise."""
    _refusal: Any = None
    """What coverage.py has answered for one of those."""

    def _should_trace(self, filename: str, frame: FrameType, *more: Any) -> Any:  # noqa: ANN401 - FileDisposition
        # coverage.py goes by where a module was loaded from, if that differs from what its code says
        apart = self.is_apart and self.is_apart(filename) and frame.f_globals.get("__file__") == filename
        # once a file: coverage.py keeps the answer
        disposition = (apart and self._refusal) or super()._should_trace(filename, frame, *more)
        if apart and not disposition.trace:
            self._refusal = disposition
        elif not disposition.trace and self.is_copied and self.is_copied(disposition.source_filename or ""):
            disposition.trace = True
        if self.on_new_file:
            self.on_new_file(filename, (disposition.trace and disposition.source_filename) or "", frame)
        return disposition

    def _warn(self, msg: str, slug: str | None = None, once: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Keep a warning for a report, unless disabled: a server's stderr and its warning filters aren't ours."""
        if slug not in self.config.disable_warnings:
            name = f" ({slug})" if slug else " (coverage-warning)"
            self._warnings.append(f"coverage.py: {msg}{name}")

    def warnings(self) -> list[str]:
        """List what coverage.py warned of, each once, in its words and with its name for the warning."""
        return list(dict.fromkeys(self._warnings))


def start(cov: Coverage) -> None:
    """Start a Coverage, but spare it the description of the stack that its collector takes for debugging.

    For that it reads the source of every frame, which is a tenth of what a start costs.

    Raises:
        UnsupportedError: when this coverage.py would not say which files run.
    """
    if not hasattr(Coverage, "_should_trace"):
        raise UnsupportedError("this coverage.py does not say which files run")
    if {"sysconfig", "sys_modules_saved", "file_and_path_for_module"} <= vars(inorout).keys():
        vars(inorout)["sysconfig"] = sysconfig_that_remembers()
        # its own way takes modules away that other threads import meanwhile
        vars(inorout).update(sys_modules_saved=contextlib.nullcontext, file_and_path_for_module=locate_package)
    described = vars(collector).get("short_stack")
    if described is not None:
        vars(collector)["short_stack"] = str  # called with nothing, it gives an empty text
    try:
        with _coverage_slot_left():
            cov.start()
    finally:
        if described is not None:
            vars(collector)["short_stack"] = described


@contextlib.contextmanager
def _coverage_slot_left() -> Iterator[None]:
    """Have coverage.py's core sysmon take one of the free slots of ``sys.monitoring``: the program may want its own."""
    monitoring: Any = getattr(sys, "monitoring", None)
    # debuggers, coverage, profilers and optimizers have the other numbers by convention
    free = [slot for slot in (4, 3) if monitoring and monitoring.get_tool(slot) is None]
    if not free:
        yield
        return
    usual = monitoring.COVERAGE_ID
    monitoring.COVERAGE_ID = free[0]
    try:
        yield
    finally:
        monitoring.COVERAGE_ID = usual


def live_sets(cov: Coverage) -> LiveSets:
    """Return the sets that a Coverage is filling.

    Raises:
        UnsupportedError: when this coverage.py has none in the known place.
    """
    return live_sets_of(getattr(cov, "_collector", None))


def live_sets_of(collector: object) -> LiveSets:
    """Return the sets that a collector is filling.

    Raises:
        UnsupportedError: when this coverage.py has none in the known place.
    """
    data = getattr(collector, "data", None)
    if not isinstance(data, dict):
        raise UnsupportedError("this coverage.py keeps no live sets in a place that is known here")
    return data


def before_each_flush(cov: Coverage, act: Callable[[], object]) -> None:
    """Act each time before a started Coverage moves what it has measured out of the live sets.

    Nothing of ours makes it do so; but a test has it by the fixture ``cov``, and may ask it for its data.
    """
    collector: Any = cov._collector
    flush = collector.flush_data

    def act_and_flush() -> Any:  # noqa: ANN401 - coverage's own answer
        act()
        return flush()

    collector.flush_data = act_and_flush


def unpack_arcs(cov: Coverage, arcs: set[Any]) -> Arcs:
    """Turn what a set of live arcs holds into our own form; the C tracer packs each pair into one integer.

    coverage's own unpacking runs on a stand-in for the collector, because the bits differ between its versions.

    Raises:
        UnsupportedError: when the unpacking does not run on the stand-in.
    """
    return unpack_arcs_of(cov._collector, arcs)


def unpack_arcs_of(collector: Any, arcs: set[Any]) -> Arcs:  # noqa: ANN401 - coverage's Collector, or a stand-in
    """Turn what a collector's set of live arcs holds into our own form.

    Raises:
        UnsupportedError: when the unpacking does not run on the stand-in.
    """
    if all(isinstance(arc, tuple) for arc in arcs):  # sysmon, and the tracer in Python
        return Arcs(arcs)
    unpacked: dict[str, Any] = {}
    stand_in = SimpleNamespace(
        _activity=lambda: True,
        _clear_data=lambda: None,
        branch=True,
        core=getattr(collector, "core", None),
        data={"": arcs.copy()},  # from 7.17.4 on it takes out of the sets what it has saved
        tracers=(),
        covdata=SimpleNamespace(add_arcs=unpacked.update, add_file_tracers=lambda _: None),
        mapped_file_dict=lambda files: files,
        file_tracers={},
        disabled_plugins=set(),
    )
    try:  # the stand-in has what flush_data asks for, and no more
        Collector.flush_data(stand_in)  # type: ignore[arg-type]
        return Arcs(unpacked[""])
    except Exception as error:
        raise UnsupportedError(f"arcs of this coverage.py cannot be unpacked: {error!r}") from error


def measured_path(cov: Coverage, filename: str, frame: FrameType) -> str:
    """Return the path under which a Coverage measures a file as plain Python; empty if it does not.

    Args:
        cov: a started Coverage.
        filename: what Python calls the file.
        frame: a frame that runs it.
    """
    of_it: Any = cov
    disposition = of_it._collector.should_trace_cache.get(filename) or of_it._inorout.should_trace(filename, frame)
    is_python = disposition.trace and not disposition.file_tracer
    return str(disposition.source_filename) if is_python else ""


def asks_for(cov: Coverage, path: str) -> bool:
    """Tell whether a started Coverage measures the file at a path."""
    rules: Any = cov._inorout
    return rules.check_include_omit_etc(path, None) is None


def omits(cov: Coverage, path: str) -> bool:
    """Tell whether ``[run] omit`` of a started Coverage leaves out the file at a path."""
    omit: Any = getattr(cov._inorout, "omit_match", None)
    return bool(omit and omit.match(path))


def file_tracers(cov: Coverage) -> dict[str, str]:
    """Return the coverage plugin that measures each file which is not plain Python."""
    return dict(getattr(cov._collector, "file_tracers", {}))


def core_in_use(cov: Coverage) -> str:
    """Name the core of a started Coverage: ctrace, sysmon or pytrace."""
    tracer = getattr(cov._collector, "tracer_name", lambda: "")()
    return {"CTracer": "ctrace", "SysMonitor": "sysmon", "PyTracer": "pytrace"}.get(tracer, str(tracer))


def arc_of_event(cov: Coverage, code: CodeType, callback: str, *arguments: object) -> tuple[int, int] | None:
    """Return the arc that an event means to coverage.py's core sysmon, by its own callback on a copy; None for no arc.

    Args:
        cov: a started Coverage that measures branches.
        code: where the event was.
        callback: the name of coverage.py's callback for it.
        arguments: what the event says beside the code object.

    Raises:
        UnsupportedError: when this coverage.py has no such callback, or it does not run on the copy.
    """
    try:
        of_it: Any = cov
        (tracer,) = of_it._collector.tracers
        info = tracer.code_infos.get(id(code))
        if info is None:
            return None
        info, stand_in, arcs = copy(info), copy(tracer), set[Any]()
        info.file_data, stand_in.code_infos = arcs, {id(code): info}
        getattr(stand_in, callback)(code, *arguments)
        return next(iter(arcs), None)
    except Exception as error:
        raise UnsupportedError(f"branches of this coverage.py cannot be told apart: {error!r}") from error


def forget_last_lines(cov: Coverage) -> None:
    """Let no arc lead from a line of before to one that runs from now on.

    With branches, coverage.py 7.17.1 and later keeps the last line of each code object under sysmon, and joins the next
    one to it. An exception that leaves a function leaves that line behind, for whoever calls the function next.
    """
    for tracer in getattr(cov._collector, "tracers", ()):
        if getattr(tracer, "trace_arcs", False):
            for info in list(getattr(tracer, "code_infos", {}).values()):
                info.last_line = None


def zip_member(path: str) -> bytes | None:
    """Read a member of a zip file by the path that Python and coverage.py give it; None if there is none."""
    from coverage.python import get_zip_bytes

    return get_zip_bytes(path)


def close_data(data: CoverageData) -> None:
    """Close the connections of a CoverageData; before 7.10.3 it has no call for that."""
    if hasattr(data, "close"):
        data.close(force=True)
        return
    for base in data._dbs.values():
        if base.con is not None:
            base.con.close()
            base.con = None
    data._dbs = {}

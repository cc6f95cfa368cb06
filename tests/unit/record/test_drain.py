from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from coverage import collector
from hypothesis import given
from hypothesis import strategies as st

from server_hook import coverage_private
from server_hook.arcs import Arcs
from server_hook.coverage_private import UnsupportedError
from server_hook.record import drain
from server_hook.record.drain import Drain
from server_hook.store.fingerprint import UNVERIFIED, fingerprint
from server_hook.store.segment import Label, Measured, Source, bitmap

APP, LIB = "/app/main.py", "/app/lib.py"
UNIT, E2E = Label("unit"), Label("e2e", "test_chat")


class Live:
    """The live sets of a tracer, filled by hand, and the cutter that works on them."""

    def __init__(self, *, branch: bool = False) -> None:
        """Begin with nothing measured."""
        self.sets: dict[str, set[Any]] = {}
        collector = SimpleNamespace(data=self.sets, file_tracers={LIB: "a.plugin"})
        cov: Any = SimpleNamespace(_collector=collector)
        self.drain = Drain(cov, UNIT, branch=branch)

    def run(self, path: str, *recorded: Any) -> None:
        """Record lines or arcs, as the tracer does."""
        self.sets.setdefault(path, set()).update(recorded)

    def cut(self) -> dict[Label, dict[Source, Measured]]:
        """Cut, and show what waits to be written."""
        return {part.label: part.files for part in self.drain.cut()}

    def write(self) -> dict[Label, dict[Source, Measured]]:
        """Cut, and say that it was written."""
        parts = self.drain.cut()
        self.drain.mark_written(parts)
        return {part.label: part.files for part in parts}


def test_a_cut_takes_what_was_measured() -> None:
    """What the tracer has recorded waits to be written, by file, with the plugin that measured it."""
    live = Live()
    live.run(APP, 1, 2)
    live.run(LIB, 7)
    live.run("/app/idle.py")
    expected = {UNIT: {Source(APP): bitmap([1, 2]), Source(LIB, "", "a.plugin"): bitmap([7])}}
    assert expected == live.cut()
    assert not any(live.sets.values())


@pytest.mark.parametrize("branch", [False, True])
def test_a_cut_inside_a_cut_loses_nothing(monkeypatch: pytest.MonkeyPatch, *, branch: bool) -> None:
    """A signal handler that cuts and writes between any two steps of a cut takes every line: it may be the end."""
    live = Live(branch=branch)
    recorded: list[Any] = [(1, 2), (2, 3)] if branch else [1, 2]
    live.run(APP, *recorded)
    written: list[dict[Label, dict[Source, Measured]]] = []
    original = coverage_private.file_tracers

    def interrupted(cov: Any) -> dict[str, str]:
        monkeypatch.setattr(coverage_private, "file_tracers", original)
        written.append(live.write())
        return original(cov)

    monkeypatch.setattr(coverage_private, "file_tracers", interrupted)
    live.write()
    expected: Measured = set(recorded) if branch else bitmap(recorded)
    assert written == [{UNIT: {Source(APP): expected}}]


def test_a_line_is_written_once() -> None:
    """A line that has been written is not written again for the same origin; another one is."""
    live = Live()
    live.run(APP, 1, 2)
    live.write()
    live.run(APP, 2, 3)
    expected = {UNIT: {Source(APP): bitmap([3])}}
    assert expected == live.write()
    live.run(APP, 1, 2, 3)
    assert not live.cut()


def test_what_is_not_written_waits() -> None:
    """What could not be written stays, and what is measured meanwhile joins it."""
    live = Live()
    live.run(APP, 1)
    live.cut()
    live.run(APP, 2)
    expected = {UNIT: {Source(APP): bitmap([1, 2])}}
    assert expected == live.cut()


def test_each_label_has_lines_of_its_own() -> None:
    """A line counts for every label under which it ran, though it is written once for each."""
    live = Live()
    live.run(APP, 1)
    live.cut()
    live.drain.label = E2E
    live.run(APP, 1, 5)
    live.cut()
    live.drain.label = UNIT
    live.run(APP, 2)
    expected = {UNIT: {Source(APP): bitmap([1, 2])}, E2E: {Source(APP): bitmap([1, 5])}}
    assert expected == live.write()
    live.drain.label = E2E
    live.run(APP, 5, 6)
    expected = {E2E: {Source(APP): bitmap([6])}}
    assert expected == live.write()


def test_arcs_are_cut_alike() -> None:
    """Where branches are measured, arcs are written, each once."""
    live = Live(branch=True)
    live.run(APP, (-1, 1), (1, 2))
    expected: dict[Label, dict[Source, Measured]] = {UNIT: {Source(APP): Arcs({(-1, 1), (1, 2)})}}
    assert expected == live.write()
    live.run(APP, (1, 2), (2, -1))
    expected = {UNIT: {Source(APP): Arcs({(2, -1)})}}
    assert expected == live.write()
    count = 3
    assert count == live.drain.lines


def test_lines_are_counted_as_they_are_cut() -> None:
    """How many lines were recorded is the number of those that were new."""
    live = Live()
    live.run(APP, 1, 2)
    live.cut()
    live.run(APP, 2, 3)
    live.run(LIB, 1)
    live.cut()
    expected = 4
    assert expected == live.drain.lines


class Growing(set[int]):
    """A live set into which another thread records a line while it is copied."""

    def copy(self) -> Growing:
        """Copy, and be recorded into at once."""
        copied = Growing(self)
        self.add(99)
        return copied


def test_what_is_recorded_during_a_cut_stays() -> None:
    """A line that another thread records while a cut is made is in the next one."""
    live = Live()
    live.sets[APP] = Growing({1})
    expected = [{UNIT: {Source(APP): bitmap([1])}}, {UNIT: {Source(APP): bitmap([99])}}]
    assert expected == [live.write(), live.write()]


@given(st.lists(st.tuples(st.sampled_from([UNIT, E2E]), st.sets(st.integers(1, 50)), st.booleans()), max_size=8))
def test_nothing_is_lost_however_it_is_cut(steps: list[tuple[Label, set[int], bool]]) -> None:
    """Whatever is cut and written in between, all segments together hold all that ran, each line under its label."""
    live = Live()
    wanted: dict[Label, int] = {}
    written: dict[Label, int] = {}
    for label, lines, is_written in [*steps, (UNIT, set[int](), True)]:
        live.cut()
        live.drain.label = label
        live.run(APP, *lines)
        wanted[label] = wanted.get(label, 0) | bitmap(lines)
        for found, files in (live.write() if is_written else {}).items():
            for measured in files.values():
                assert isinstance(measured, int)
                assert not written.get(found, 0) & measured
                written[found] = written.get(found, 0) | measured
    assert {label: lines for label, lines in wanted.items() if lines} == written


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a source file."""
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    return path


def test_a_file_has_the_fingerprint_of_its_first_sight(source: Path) -> None:
    """A line belongs to the source as it was when it ran first, not as it is when it is written."""
    live = Live()
    first = fingerprint(str(source))
    live.drain.add_source(str(source))
    source.write_text("x = 2\n")
    live.drain.add_source(str(source))
    live.run(str(source), 1)
    expected = {UNIT: {Source(str(source), first): bitmap([1])}}
    assert expected == live.cut()


def test_a_file_that_cannot_be_read_is_unverified(source: Path) -> None:
    """A source that is gone when it runs isn't taken for whatever lies there later."""
    live = Live()
    source.unlink()
    live.drain.add_source(str(source))
    source.write_text("x = 2\n")
    live.run(str(source), 1)
    assert live.cut() == {UNIT: {Source(str(source), UNVERIFIED): bitmap([1])}}


@pytest.mark.parametrize("source_reloaded", [True, False])
def test_a_file_that_is_loaded_again_begins_anew(source: Path, *, source_reloaded: bool) -> None:
    """After a file has changed and is loaded again its lines are those of the new source; unchanged it goes on."""
    live = Live()
    old = fingerprint(str(source))
    live.drain.add_source(str(source))
    live.run(str(source), 1, 2)
    if source_reloaded:
        source.write_text("x = 2\n")
    live.drain.source_reloaded(str(source))
    live.run(str(source), 1)
    changed = {
        UNIT: {Source(str(source), old): bitmap([1, 2]), Source(str(source), fingerprint(str(source))): bitmap([1])}
    }
    unchanged = {UNIT: {Source(str(source), old): bitmap([1, 2])}}
    assert (changed if source_reloaded else unchanged) == live.cut()


def test_a_file_may_be_known_under_any_of_its_names(source: Path) -> None:
    """A file that was met may be one that is loaded by its name, through a link to its folder, or by another name."""
    live = Live()
    live.drain.add_source(str(source))
    folder, link = source.parent / "linked", source.parent / "another.py"
    folder.symlink_to(source.parent)
    link.symlink_to(source)
    assert all(live.drain.may_have_seen(str(path)) for path in (source, folder / source.name, link))
    assert not live.drain.may_have_seen(str(source.with_name("never_met.py")))


def test_loading_an_unknown_file_is_nothing(source: Path) -> None:
    """A file that was never measured may be loaded as often as it likes."""
    live = Live()
    live.drain.source_reloaded(str(source))
    live.run(str(source), 1)
    expected = {UNIT: {Source(str(source)): bitmap([1])}}
    assert expected == live.cut()


def test_all_can_be_written_again() -> None:
    """Where the segments are gone, all that was ever cut waits to be written again, under its labels."""
    live = Live()
    live.run(APP, 1)
    live.write()
    live.drain.label = E2E
    live.run(APP, 2)
    live.run(LIB, 3)
    live.write()
    live.drain.requeue_all()
    expected = {
        UNIT: {Source(APP): bitmap([1])},
        E2E: {Source(APP): bitmap([2]), Source(LIB, "", "a.plugin"): bitmap([3])},
    }
    assert expected == live.cut()


@pytest.mark.parametrize("collector", [None, SimpleNamespace()])
def test_a_coverage_without_live_sets_is_refused(collector: object) -> None:
    """A coverage.py that keeps its measurements elsewhere is refused in words, not by an AttributeError."""
    cov: Any = SimpleNamespace(_collector=collector)
    cutter = Drain(cov, UNIT, branch=False)
    with pytest.raises(UnsupportedError, match="no live sets"):
        cutter.cut()


class Starting:
    """Stands in for a Coverage whose collector describes the stack when it starts."""

    def __init__(self, outcome: Exception | None) -> None:
        """Begin with nothing described."""
        self.outcome = outcome
        self.described: list[str] = []

    def start(self) -> None:
        """Describe the stack, where this coverage.py does."""
        if hasattr(collector, "short_stack"):
            self.described.append(collector.short_stack())
        if self.outcome:
            raise self.outcome


@pytest.mark.parametrize("outcome", [None, ValueError("refused")])
def test_a_start_describes_no_stack(outcome: Exception | None) -> None:
    """The collector's description of the stack is left out for the start of a Coverage, and is back after it."""
    before, cov = collector.short_stack, Starting(outcome)
    with pytest.raises(ValueError, match="refused") if outcome else nullcontext():
        coverage_private.start(cov)  # type: ignore[arg-type]
    assert ([""], before) == (cov.described, collector.short_stack)


def test_a_coverage_that_describes_no_stack_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such description, a Coverage is started as it is."""
    monkeypatch.delattr(collector, "short_stack")
    cov = Starting(ValueError("started"))
    with pytest.raises(ValueError, match="started"):
        coverage_private.start(cov)  # type: ignore[arg-type]
    assert not hasattr(collector, "short_stack")


def test_a_server_does_not_grow_with_every_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the latest tests have run is kept to be written again, before a reset and after it."""
    monkeypatch.setattr(drain, "MOST_TESTS", 3)
    live = Live()
    for epoch in range(2):
        for number in range(6):
            live.drain.add_of_test(f"t{epoch}{number}", APP, bitmap([number]))
            assert live.write()[Label("unit", f"t{epoch}{number}")] == {Source(APP): bitmap([number])}
        live.drain.begin_epoch(1.0 + epoch)
    live.drain.requeue_all()
    tests = {label.context for label in live.write() if label.context}
    assert tests == {"t13", "t14", "t15"}

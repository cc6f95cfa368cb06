"""What the unit tests share: values to build on, strategies to draw from, short folders and gold files."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from pytest_vmpilot_cov.model import ORIGINS, Options, Setting, Threshold
from server_hook.arcs import Arcs
from server_hook.clock import LAST_MOMENT
from server_hook.config.settings import Settings
from server_hook.problems import printable
from server_hook.store import publish, records, segment, working_folder
from server_hook.store.records import Record
from server_hook.store.segment import Label, Measured, Part, Source, bitmap

hypothesis.settings.register_profile(
    "unit",
    database=None,  # nothing is left behind
    deadline=None,  # no test depends on speed
    derandomize=True,  # the same examples in every run
)
hypothesis.settings.load_profile("unit")

NOBODY = 1 << 22
"""Above every pid that a system gives."""
GOLD = Path(__file__).parent.parent / "gold"


def a_part(  # noqa: PLR0913 - one keyword a field
    origin: str,
    files: Mapping[Source, Measured],
    *,
    context: str = "",
    startup: bool = False,
    begun: float = 100.0,
    ended: float = 200.0,
) -> Part:
    """Make a part with plain values."""
    return Part(Label(origin, context, startup), begun, ended, dict(files))


def recorded(folder: Path, record: Record, *parts: Part) -> Path:
    """Leave what a process has recorded in a data folder; return the process's own folder."""
    place = Path(working_folder.make_folder(str(folder), record.id))
    records.write_record(str(place), record)
    if parts:
        segment.write(str(place), 1, parts)
    return place


def ended_pid() -> int:
    """Return the pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def some_settings(folder: Path, **changes: Any) -> Settings:
    """Make settings that measure the lines of *folder*."""
    plain = Settings(
        config_file="",
        folder=str(folder),
        source=(str(folder),),
        source_folders=(),
        copies=(),
        include=(),
        omit=(),
        branch=False,
        concurrency=(),
        core="ctrace",
        core_reason="a test asked for it",
        data_file=str(folder / ".coverage"),
        relative_files=False,
        interval_s=1.0,
        signals=True,
        server_command="",
        tag_requests=("near",),
    )
    return plain._replace(**changes)


def some_options(
    folder: Path,
    *,
    fail_under: float | None = None,
    precision: int = 0,
    require: Iterable[str] = (),
    thresholds: Mapping[str, float] | None = None,
    **settings: Any,
) -> Options:
    """Make options of a project in *folder*, with a threshold from the command line and configured ones, if any."""
    section = "[vmpilot_cov:fail_under] in .coveragerc"
    named = ("each", *ORIGINS)
    return Options(
        root=folder,
        settings=some_settings(folder, **settings),
        fail_under=Setting(None) if fail_under is None else Setting(fail_under, "the command line"),
        precision=precision,
        require=frozenset(require),
        thresholds=tuple(
            Threshold(name, required, section, "" if name in named else f"{folder}/{name}")
            for name, required in (thresholds or {}).items()
        ),
    )


def bitmaps() -> st.SearchStrategy[int]:
    """Draw bitmaps of line numbers."""
    return st.sets(st.integers(1, 400)).map(bitmap)


def arc_sets() -> st.SearchStrategy[Arcs]:
    """Draw arcs, entries and exits (negative line numbers) included."""
    line = st.integers(-400, 400)
    return st.sets(st.tuples(line, line)).map(Arcs)


def anything_measured() -> st.SearchStrategy[Measured]:
    """Draw lines or arcs."""
    return bitmaps() | arc_sets()


def odd_text() -> st.SearchStrategy[str]:
    """Draw any name that a file system may give, such as are no UTF-8 (lone surrogates) included."""
    characters = st.characters(codec="utf-8", exclude_characters="\0")
    return st.text(characters | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))


def many_parts() -> st.SearchStrategy[list[Part]]:
    """Draw the parts of a segment, with odd paths, contexts and both kinds of measurement."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    source = st.builds(Source, odd_text().filter(bool), text, text)
    context = text.map(printable).filter(lambda each: each not in ORIGINS)
    kept = st.just(False)  # noqa: FBT003 - nothing is written of what is dropped
    of_tests = st.builds(Label, st.sampled_from(["unit", "e2e"]), context, st.booleans(), kept)
    label = of_tests | st.builds(Label, st.sampled_from(ORIGINS), st.just(""), st.booleans(), kept)
    moment = st.floats(0, LAST_MOMENT)
    files = st.dictionaries(source, anything_measured(), max_size=3)
    return st.lists(st.builds(Part, label, moment, moment, files), max_size=3)


@contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """Note which files below a folder a block leaves open, and clear them up without their warnings."""
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("this system shows no descriptors")
    held: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield held
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        names = [os.readlink(link) for link in links if os.path.lexists(link)]
        held += [name for name in names if name.startswith(str(folder))]
        gc.collect()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="vc", dir="/tmp") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def gold() -> Callable[[str], str]:
    """Give a reader of gold files."""
    return lambda name: (GOLD / name).read_text("utf-8")


def published_of(folder: Path) -> segment.ByLabel:
    """Return what a file would hold that was published of a data folder now."""
    names = [place.name for place in working_folder.process_folders(folder)]
    return publish.newest(publish.read_parts(folder, names, set()))

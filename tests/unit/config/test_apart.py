from __future__ import annotations

import json.decoder
import os
import site
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coverage
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server_hook.config.settings import apply_settings, read_with_coverage
from server_hook.config.sources import apart_from
from server_hook.coverage_private import start
from server_hook.record import recorder

LIBRARY = os.path.dirname(os.__file__)
OURS = os.path.dirname(os.path.dirname(recorder.__file__))
THEIRS = os.path.dirname(coverage.__file__)
FILES = [
    *(os.__file__, json.decoder.__file__, recorder.__file__, coverage.__file__, pytest.__file__),
    *(os.path.join(THEIRS, "control.py"), os.path.join(LIBRARY, "site-packages/shop/cart.py"), f"{OURS}_2/x.py"),
    *("app/m.py", "app/json/decoder.py", "<string>", ""),
]
SOURCES = ["app", LIBRARY, f"{LIBRARY}/json", os.path.dirname(LIBRARY), OURS, f"{OURS}/record", THEIRS, "json", "no"]


def answers(folder: Path, names: list[str], *, apart: bool) -> list[tuple[bool, list[str]]]:
    """Return whether each file is measured, and what is said of it, in a process that starts in a project's folder."""
    decided, cov = read_with_coverage(str(folder / ".coveragerc"))
    apply_settings(cov, decided, to_measure=True)
    if not apart:
        cov.is_apart = None
    start(cov)
    cov.stop()
    said: list[str] = []
    cov.on_new_file = lambda filename, path, _: said.extend((filename, path))
    found = []
    for name in names:
        path = str(folder / name) if name.startswith("app") else name
        frame: Any = SimpleNamespace(f_globals={"__name__": "module", "__file__": path})
        found.append((bool(cov._should_trace(path, frame).trace), said.copy()))
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(SOURCES), max_size=2),
    st.sampled_from(["", "omit = */json/*", "include = */decoder.py", "include = */recorder.py"]),
    st.permutations(FILES),
)
@example([], "include = */decoder.py", FILES)
@example(["app"], "", FILES)
@example([LIBRARY], "", FILES)
def test_what_is_told_by_its_name_is_what_coverage_finds(source: list[str], more: str, names: list[str]) -> None:
    """Whatever the source is, each file counts or doesn't as coverage.py alone says, and is noticed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app/json").mkdir(parents=True)
        (folder / "app/m.py").write_text("a = 1\n")
        (folder / "app/json/decoder.py").write_text("b = 1\n")
        lines = [f"source = {','.join(source)}"] if source else []
        (folder / ".coveragerc").write_text("\n".join(["[run]", *lines, more, ""]))
        assert answers(folder, names, apart=True) == answers(folder, names, apart=False)


def test_the_library_and_the_recorder_are_apart_from_a_project(tmp_path: Path) -> None:
    """Where the source is a project, files of Python, of coverage.py and of the recorder need no look at the disk."""
    is_apart = apart_from([str(tmp_path)])
    assert is_apart is not None
    assert [name for name in FILES if is_apart(name)] == FILES[:4] + FILES[5:6]
    assert not is_apart(os.path.join(LIBRARY, os.path.basename(site.getsitepackages()[0]), "shop/cart.py"))


def test_a_file_that_was_loaded_from_elsewhere_is_looked_at(tmp_path: Path) -> None:
    """Code that says it is of the library counts, if its module was loaded from the source."""
    (tmp_path / ".coveragerc").write_text("[run]\nsource = .\n")
    (tmp_path / "os.py").write_text("a = 1\n")
    decided, cov = read_with_coverage(str(tmp_path / ".coveragerc"))
    apply_settings(cov, decided, to_measure=True)
    start(cov)
    cov.stop()
    frame: Any = SimpleNamespace(f_globals={"__name__": "os", "__file__": str(tmp_path / "os.py")})
    assert cov._should_trace(os.__file__, frame).trace

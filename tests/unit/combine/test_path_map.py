from __future__ import annotations

from pathlib import Path

import pytest

from pytest_vmpilot_cov.combine.path_map import LEAST_PARTS, PathMap, common_end, paths_section, prefixes
from pytest_vmpilot_cov.combine.unite import relocate, unite
from pytest_vmpilot_cov.model import Mapped
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Source, bitmap
from tests.unit.conftest import a_part, some_settings

HERE = [
    "/me/app/__init__.py",
    "/me/app/chat.py",
    "/me/app/tools/__init__.py",
    "/me/app/tools/clock.py",
    "/me/lib/chat.py",
]
MARKS = {"/me/app/chat.py": "c1", "/me/app/tools/clock.py": "c2", "/me/lib/chat.py": "c3"}


def a_map(**by_setting: str) -> PathMap:
    """Make a map of a project whose empty files are all alike."""
    return PathMap(HERE, lambda path: MARKS.get(path, "empty"), lambda path: by_setting.get(path.strip("/"), path))


@pytest.mark.parametrize(
    ("path", "mark", "expected"),
    [
        ("/srv/x.py", "c1", ("/me/app/chat.py", "content")),
        ("/srv/app/tools/__init__.py", "empty", ("/me/app/tools/__init__.py", "content")),
        ("/srv/app/__init__.py", "empty", ("/me/app/__init__.py", "content")),
        ("/srv/other/none.py", "empty", None),
        ("/srv/app/chat.py", "edited", ("/me/app/chat.py", "path")),
        ("/srv/lib/chat.py", "", ("/me/lib/chat.py", "path")),
        ("/srv/else/chat.py", "edited", None),
        ("/srv/clock.py", "", None),
        ("/srv/else/unknown.py", "c9", None),
    ],
)
def test_a_file_from_elsewhere_is_found(path: str, mark: str, expected: tuple[str, str] | None) -> None:
    """Content decides first, among files of the same content the end of the path; a name alone is not enough."""
    found = a_map().find(Source(path, mark), is_here=False)
    assert expected == (found and (found.path, found.how))


def test_a_setting_decides_last() -> None:
    """Where neither content nor path tells, ``[paths]`` does, if it leads to a file of the project."""
    source = Source("/x", "c9")
    assert a_map(x="/me/app/chat.py").find(source, is_here=False) == Mapped("/x", "/me/app/chat.py", "[paths]")
    assert a_map(x="/me/gone.py").find(source, is_here=False) is None


def test_a_file_that_is_here_may_be_of_another_project() -> None:
    """The path of a file that exists on this machine says nothing about this project; its content does."""
    assert a_map().find(Source("/you/app/chat.py", "other"), is_here=True) is None
    assert a_map().find(Source("/you/app/chat.py", "c1"), is_here=True) is not None


def test_the_end_of_two_paths() -> None:
    """The end that two paths share is counted in whole names."""
    assert (common_end("/a/b/c.py", "/x/b/c.py"), common_end("/a/xb.py", "/a/b.py")) == (LEAST_PARTS, 0)


def test_what_was_mapped_is_summed_up_by_folder() -> None:
    """Files below one folder are one line, and one entry of ``[paths]``."""
    mapped = [
        Mapped("/srv/app/chat.py", "/me/app/chat.py", "content"),
        Mapped("/srv/app/tools/clock.py", "/me/app/tools/clock.py", "path"),
        Mapped("/old/app/chat.py", "/me/app/chat.py", "path"),
    ]
    summed = {folders: dict(hows) for folders, hows in prefixes(mapped).items()}
    assert summed == {("/srv", "/me"): {"content": 1, "path": 1}, ("/old", "/me"): {"path": 1}}
    assert paths_section(mapped) == ["[paths]", "place1 =", "    /me", "    /old", "    /srv"]


def test_data_from_elsewhere_counts_where_its_source_is_the_same(tmp_path: Path) -> None:
    """Combined, a file from elsewhere counts for the project's own, and is stale where that one differs."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "same.py").write_text("a = 1\n")
    (folder / "edited.py").write_text("b = 2\n")
    same, edited = str(folder / "same.py"), str(folder / "edited.py")
    measured = {
        Source("/srv/app/same.py", fingerprint(same)): bitmap([1]),
        Source("/srv/app/edited.py", "x"): bitmap([1]),
    }
    files = [same, edited]
    parts, mapped = relocate(
        [a_part("pipeline", measured)], PathMap(files, fingerprint, str), files.__contains__, some_settings(folder)
    )
    combined = unite(parts, project_files=dict.fromkeys(files, ""), is_project_file=files.__contains__)
    assert {source.path for source in combined.counted["pipeline"]} == {same}
    assert [left.path for left in combined.stale] == [edited]
    assert [(each.measured, each.how) for each in mapped] == [
        ("/srv/app/edited.py", "path"),
        ("/srv/app/same.py", "content"),
    ]

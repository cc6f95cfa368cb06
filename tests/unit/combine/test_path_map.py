from __future__ import annotations

from pathlib import Path

import pytest

from pytest_vmpilot_cov.combine.path_map import LEAST_PARTS, PathMap, common_end, paths_section, prefixes
from pytest_vmpilot_cov.combine.unite import relocate, unite
from pytest_vmpilot_cov.model import Mapped
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Label, Source, bitmap
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
        ("C:\\ci\\app\\tools\\clock.py", "", ("/me/app/tools/clock.py", "path")),
        ("c:/ci/app/chat.py", "", ("/me/app/chat.py", "path")),
        ("\\\\host\\share\\lib\\chat.py", "", ("/me/lib/chat.py", "path")),
        ("/me/app\\chat.py", "", ("/me/app/chat.py", "path")),
        ("C:\\ci\\clock.py", "", None),
    ],
)
def test_a_file_from_elsewhere_is_found(path: str, mark: str, expected: tuple[str, str] | None) -> None:
    """Content decides first, among files of the same content the end of the path; a name alone is not enough."""
    found = a_map().find(Source(path, mark), is_here=False)
    assert expected == (found and (found.path, found.how))


def test_a_setting_decides_where_the_content_does_not() -> None:
    """``[paths]`` goes before the end of a path, if it leads to a file of the project, and after the content."""
    source = Source("/lib/chat.py", "c9")
    setting = {"lib/chat.py": "/me/app/chat.py"}
    assert a_map(**setting).find(source, is_here=False) == Mapped("/lib/chat.py", "/me/app/chat.py", "[paths]")
    assert a_map(**setting).find(source._replace(fingerprint="c3"), is_here=False) == Mapped(
        "/lib/chat.py", "/me/lib/chat.py", "content"
    )
    assert a_map(x="/me/gone.py").find(Source("/x", "c9"), is_here=False) is None


def test_a_file_that_is_here_may_be_of_another_project() -> None:
    """The path of a file that exists on this machine says nothing about this project; its content does."""
    assert a_map().find(Source("/you/app/chat.py", "other"), is_here=True) is None
    assert a_map().find(Source("/you/app/chat.py", "c1"), is_here=True) is not None


def test_a_version_of_a_file_is_told_by_most_of_its_lines(tmp_path: Path) -> None:
    """A file here that shares most of its lines with one file of that name is a version of it; else it is another."""
    texts = {"own/a.py": "one\ntwo\nthree\n", "own/b.py": "one\n", "own/x/b.py": "one\n"}
    texts |= {"up/a.py": "one\n\ntwo\nfour\n", "far/a.py": "one\nsix\nfour\n", "up/b.py": "one\n"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own = [str(tmp_path / name) for name in texts if name.startswith("own")]
    path_map = PathMap(own, lambda _: "own", lambda path: path)
    found = {name: path_map.find(Source(str(tmp_path / name), "other"), is_here=True) for name in texts}
    assert found["up/a.py"] == Mapped(str(tmp_path / "up/a.py"), own[0], "likeness")
    assert found["far/a.py"] is None
    assert found["up/b.py"] is None, "two files are alike"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("env/site-packages/shop/cart.py", "src/shop/cart.py"),
        ("build/lib/shop/cart.py", "src/shop/cart.py"),
        ("env/site-packages/single.py", "src/single.py"),
        ("env/site-packages/shop/__init__.py", "src/shop/__init__.py"),
        ("tests/__init__.py", None),
        ("env/site-packages/cart.py", None),
    ],
)
def test_a_copy_within_the_project_is_found_by_its_content(tmp_path: Path, place: str, expected: str | None) -> None:
    """Its path has to end with the whole name of the module: ``__init__.py`` files are alike all over a project."""
    texts = {"src/shop/__init__.py": "", "src/shop/cart.py": "a = 1\n", "src/single.py": "b = 2\n"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    copy = tmp_path / place
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(next(text for name, text in texts.items() if Path(name).name == copy.name))
    path_map = PathMap([str(tmp_path / name) for name in texts], fingerprint, str)
    mapped = path_map.find_copied(Source(str(copy), fingerprint(str(copy))))
    assert expected == (mapped and str(Path(mapped.path).relative_to(tmp_path)))


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


def test_relative_paths_of_windows_need_no_entry() -> None:
    """What was relative on Windows is named after its own folders, and coverage.py needs no ``[paths]`` for it."""
    mapped = [Mapped("app\\tools\\clock.py", "/me/app/tools/clock.py", "[paths]")]
    mapped.append(Mapped("C:\\ci\\app\\chat.py", "/me/app/chat.py", "path"))
    assert {folders: dict(hows) for folders, hows in prefixes(mapped).items()} == {
        (".", "/me"): {"[paths]": 1},
        ("C:\\ci", "/me"): {"path": 1},
    }
    assert paths_section(mapped) == ["[paths]", "place1 =", "    /me", "    C:\\ci"]


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
    assert {source.path for source in combined.counted[Label("pipeline")]} == {same}
    assert [left.path for left in combined.stale] == [edited]
    assert [(each.measured, each.how) for each in mapped] == [
        ("/srv/app/edited.py", "path"),
        ("/srv/app/same.py", "content"),
    ]

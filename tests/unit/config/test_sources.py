from __future__ import annotations

import sys
from pathlib import Path

import pytest

from server_hook.config.sources import find_copies, missing_sources

TREE = {"src/shop/__init__.py": "", "src/shop/cart.py": "a = 1\n", "src/shop/api/__init__.py": "b = 2\n"}


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project, while a process starts in another folder, with nothing but it on its path."""
    write(tmp_path / "project", TREE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "shop"])
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("source", "files", "expected"),
    [
        ("src", {"src/shop/cart.py": "a = 1\n"}, ["src"]),
        ("src", {"shop/__init__.py": "", "shop/cart.py": "a = 1\n"}, ["shop"]),
        ("src/shop", {"shop/__init__.py": "new = 1\n", "shop/cart.py": "a = 1\n"}, ["shop"]),
        ("src/shop/api", {"shop/__init__.py": "", "shop/api/__init__.py": "b = 2\n"}, ["shop/api"]),
        ("src", {"shop/__init__.py": "", "shop/cart.py": "another = 1\n"}, []),
        ("src", {"shop/__init__.py": ""}, []),
        ("src", {}, []),
    ],
)
def test_a_copied_tree_is_where_the_process_starts(
    project: Path, source: str, files: dict[str, str], expected: list[str]
) -> None:
    """A tree or package beside the process is a copy if it holds a file unchanged; an empty one says nothing."""
    write(Path.cwd(), files)
    found = find_copies([source], [str(project / source)], str(project))
    assert [str(Path.cwd() / name) for name in expected] == list(found)


@pytest.mark.parametrize("script", ["pipelines/main.py", "pipelines"])
def test_a_copy_is_found_beside_the_script(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """A script imports from its own folder, wherever it was started, and so does a folder that is run."""
    write(tmp_path / "pipelines", {"main.py": "", "__main__.py": "", "shop/__init__.py": "", "shop/cart.py": "a = 1\n"})
    monkeypatch.setattr(sys, "orig_argv", ["python", str(tmp_path / script), "--port", "1"])
    found = find_copies(["src"], [str(project / "src")], str(project))
    assert found == (str(tmp_path / "pipelines/shop"),)


def test_an_installed_copy_of_a_folder_is_found(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the source is a folder, its packages may be installed as well, as by ``pip install .``."""
    write(tmp_path / "lib/site-packages", {"shop/__init__.py": "", "shop/cart.py": "a = 1\n"})
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib/site-packages")])
    found = find_copies(["src"], [str(project / "src")], str(project))
    assert found == (str(tmp_path / "lib/site-packages/shop"),)


def test_a_copy_of_links_to_files_is_where_they_lie(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer may make links to the files of its cache, which are the ones that are measured."""
    files = {"shop/__init__.py": "", "shop/cart.py": "a = 1\n"}
    write(tmp_path / "cache", files)
    (tmp_path / "lib/shop").mkdir(parents=True)
    for name in files:
        (tmp_path / "lib" / name).symlink_to(tmp_path / "cache" / name)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib")])
    found = find_copies(["src"], [str(project / "src")], str(project))
    assert found == (str(tmp_path / "lib/shop"), str(tmp_path / "cache/shop"))


def test_the_project_itself_and_a_link_to_it_are_no_copies(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leads to the source is the source."""
    (Path.cwd() / "shop").symlink_to(project / "src/shop")
    assert find_copies(["src"], [str(project / "src")], str(project)) == ()
    monkeypatch.chdir(project)
    assert find_copies(["src"], [str(project / "src")], str(project)) == ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/ci/build/src/shop", "did you mean src/shop, which is one below {folder}?"),
        ("lib/shop/api", "correct the path, of which {folder} exists"),
        ("src/old/shop", "correct the path, of which {folder}/src exists"),
        ("{folder}/src/shop", None),
        ("shop", None),
    ],
)
def test_a_missing_folder_is_named_with_what_there_is(project: Path, source: str, expected: str | None) -> None:
    """Named is the longest end of its path that exists below the configuration's folder, else what exists of it."""
    source = source.format(folder=project)
    cures = [(source, expected.format(folder=project))] if expected else []
    assert cures == list(missing_sources([source], str(project)))

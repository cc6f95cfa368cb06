from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_vmpilot_cov.model import Delivery, Mapped
from pytest_vmpilot_cov.report.drift import Drift, differences
from server_hook.config.settings import Settings
from server_hook.store.records import Record
from tests.unit.conftest import some_settings

HERE = some_settings(Path("/me/project"), source=("/me/project/app",), omit=("/me/project/app/gen.py",))
THERE = HERE._replace(folder="/app", source=("/app/app",), omit=("/app/app/gen.py",), data_file="/app/.coverage")


def of_server(theirs: Settings, here: Settings, *mapped: Mapped) -> list[tuple[str, str, str]]:
    """List what differs between a server's settings and those of a project."""
    return list(Drift(here, mapped).of_server(theirs._asdict()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"branch": True}, [("branch", "on", "off")]),
        ({"omit": ()}, [("omit", "none", "app/gen.py")]),
        ({"source": ("/app/app", "/app/lib")}, [("source", "app, lib", "app")]),
        ({"concurrency": ("gevent",)}, [("concurrency", "gevent", "none")]),
        (
            {"core": "sysmon", "core_reason": "from COVERAGE_CORE"},
            [("core", "sysmon (from COVERAGE_CORE)", "ctrace (a test asked for it)")],
        ),
        ({"core": "sysmon", "core_reason": "the fastest"}, []),
        ({"folder": "C:\\app", "source": ("C:\\app\\app",), "omit": ("C:\\app\\app\\gen.py",)}, []),
    ],
)
def test_where_the_project_has_no_files_the_words_are_compared(
    changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    """A setting is named with both values; paths are shown below the folder of each configuration."""
    assert expected == of_server(THERE._replace(**changes), HERE)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    """Give the settings of a project with three files, one of which is omitted."""
    root = tmp_path / "project"
    for name in ("__init__", "chat", "gen"):
        (root / "src/app").mkdir(parents=True, exist_ok=True)
        (root / f"src/app/{name}.py").write_text(f"# {name}\n")
    return some_settings(root, source=(f"{root}/src",), omit=(f"{root}/src/app/gen.py",))


SAME = {
    "absolute, beside the server": {"folder": "/pipelines", "omit": ("{root}/src/app/gen.py",)},
    "a pattern for a path": {"omit": ("*/gen.py",)},
    "a pattern for nothing": {"omit": ("{root}/src/app/gen.py", "{root}/tests/*")},
    "in a container": {"folder": "/srv", "source": ("/srv/src",), "omit": ("/srv/src/app/gen.py",)},
    "a wider source": {"source": ("{root}",)},
    "another one beside it": {"source": ("{root}/src", "/opt/plugins")},
    "a package by its name": {"source": ("app",)},
    "through a link": {"folder": "/pipelines", "source": ("{root}/../link/src",)},
}


@pytest.mark.parametrize("name", SAME)
def test_settings_that_mean_the_same_are_the_same(here: Settings, name: str) -> None:
    """Other words for the same files of this project, or for more than them, are no difference."""
    root = Path(here.folder)
    (root.parent / "link").symlink_to(root)
    theirs = {
        key: value if isinstance(value, str) else tuple(each.format(root=root) for each in value)
        for key, value in SAME[name].items()
    }
    assert of_server(here._replace(**theirs), here) == []  # type: ignore[arg-type]


DIFFERENT = {
    "a relative omit beside the server": (
        {"folder": "/pipelines", "omit": ("/pipelines/src/app/gen.py",)},
        ("omit", "/pipelines/src/app/gen.py", "{root}/src/app/gen.py"),
    ),
    "no omit": ({"omit": ()}, ("omit", "none", "src/app/gen.py")),
    "a wider omit": ({"omit": ("*/app/*",)}, ("omit", "*/app/*", "src/app/gen.py")),
    "a narrower source": ({"source": ("{root}/src/other",)}, ("source", "src/other", "src")),
    "a source elsewhere": ({"folder": "/srv", "source": ("/srv/code",)}, ("source", "code", "src")),
    "another include": ({"include": ("*/chat.py",)}, ("include", "*/chat.py", "none")),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_settings_that_mean_other_files_are_named(here: Settings, name: str) -> None:
    """Where another file of this project would be measured the setting is named, in words that tell both apart."""
    changes, expected = DIFFERENT[name]
    theirs = {
        key: value if isinstance(value, str) else tuple(each.format(root=here.folder) for each in value)
        for key, value in changes.items()
    }
    found = of_server(here._replace(**theirs), here)  # type: ignore[arg-type]
    assert tuple(word.format(root=here.folder) for word in expected) in found


def test_a_tree_that_was_mapped_is_the_same_source(here: Settings) -> None:
    """A tree whose files are known again file by file, wherever it lies, holds the source."""
    theirs = here._replace(folder="/srv", source=("/srv/code/app",), omit=("/srv/code/app/gen.py",))
    mapped = Mapped("/srv/code/app/chat.py", f"{here.folder}/src/app/chat.py", "content")
    assert of_server(theirs, here, mapped) == []
    assert [name for name, *_ in of_server(theirs, here)] == ["source"]


def test_processes_that_differ_alike_are_one_line() -> None:
    """Workers of one server are named together; children of tests and processes without data are not compared."""
    branch = THERE._replace(branch=True)._asdict()
    records = [Record(f"{pid}-a", pid, "pipeline", settings=branch) for pid in (11, 12, 13)]
    found = [Delivery(record, "live", Path("/x"), executed=record.pid != 13) for record in records]
    tests = Delivery(records[0]._replace(origin="unit"), "dead", Path("/x"), executed=True)
    (line,) = differences([*found, tests], HERE)
    assert line.startswith("2 processes (pid 11, ...) measured with branch = on, here it is off; ")


def test_a_session_that_was_told_something_else_is_named() -> None:
    """What the command line of the last session asked for is another verdict than that of the configuration."""
    settings = HERE._replace(source=("/me/project/app", "/me/project/lib"))._asdict()
    record = Record("1-a", 1, "unit", session="1-a", settings=settings)
    (line,) = differences([Delivery(record, "dead", Path("/x"), executed=True)], HERE)
    assert line.startswith("the session measured with source = app, lib, here it is app, so its verdict ")

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_vmpilot_cov.model import Options, Setting
from pytest_vmpilot_cov.session.partial import (
    A_PLUGIN,
    IGNORED,
    LEFT_OUT,
    NOT_RUN,
    early_end,
    enforced,
    ide_of,
    selection,
    thresholds_in_words,
)
from tests.unit.conftest import some_options

ROOT = Path("/project")
SECTION = "[vmpilot_cov:fail_under] in .coveragerc"


def options(fail_under: float | None = 75.0, where: str = ".coveragerc", **thresholds: float) -> Options:
    """Make options with a total from somewhere, and with thresholds of our section."""
    made = some_options(ROOT, thresholds=thresholds)
    return replace(made, fail_under=Setting(fail_under, where))


KEYWORD, MARK, LAST_FAILED = (
    "_pytest.mark.deselect_by_keyword",
    "_pytest.mark.deselect_by_mark",
    "_pytest.cacheprovider.",
)


@pytest.mark.parametrize(
    ("typed", "paths", "taken", "ignored", "expected"),
    [
        ({}, [], {}, [], ""),
        ({}, ["tests/test_a.py"], {LEFT_OUT: 1}, [], "tests/test_a.py"),
        ({}, ["tests/test_a.py"], {}, [], ""),
        ({"keyword": "chat and not slow"}, [], {KEYWORD: 3}, [], "-k chat and not slow"),
        ({"keyword": "not zzz"}, [], {}, [], ""),
        ({}, [], {KEYWORD: 3, MARK: 1}, [], ""),  # addopts say what the whole is
        ({"keyword": "", "markexpr": ""}, [], {KEYWORD: 3}, [], ""),  # typed to take back what addopts select
        ({"keyword": "not zzz"}, [], {MARK: 3}, [], ""),
        ({"markexpr": "slow"}, [], {MARK: 1}, [], "-m slow"),
        ({"lf": True}, [], {LAST_FAILED: 1}, [], "--lf"),
        ({"lf": True}, [], {}, [], ""),
        ({"failedfirst": True, "newfirst": True}, [], {}, [], ""),  # only another order
        ({"stepwise": True}, [], {"_pytest.stepwise.pytest_collection_modifyitems": 2}, [], "--sw"),
        ({"deselect": ["a.py::b"]}, [], {"_pytest.main.pytest_collection_modifyitems": 1}, [], "--deselect a.py::b"),
        ({"deselect": ["a.py::gone"]}, [], {}, [], ""),
        ({"ignore": ["tests/e2e", "gone"], "ignore_glob": None}, [], {}, ["tests/e2e"], "--ignore tests/e2e"),
        ({"ignore": None, "ignore_glob": ["*_slow.py"]}, [], {}, ["*_slow.py"], "--ignore-glob *_slow.py"),
        ({"maxfail": 1, "verbose": 2, "numprocesses": 2}, [], {}, [], ""),
        ({"keyword": "a"}, ["x::a", "x::b", "x::c"], {KEYWORD: 1, LEFT_OUT: 1}, [], "x::a, x::b, x::c, ..."),
        (
            {},
            [],
            {"pytest_split": 1, "conftest.py": 2},
            [],
            "1 deselected by pytest_split, 2 deselected by conftest.py",
        ),
        ({}, [], {A_PLUGIN: 2}, [], "2 taken out by a plugin"),
        ({}, [], {IGNORED: 1, NOT_RUN: 2}, [], "1 ignored by a plugin, 2 not run"),
    ],
)
def test_a_part_is_what_tests_were_taken_away_from(
    typed: dict[str, Any], paths: list[str], taken: dict[str, int], ignored: list[str], expected: str
) -> None:
    """Whoever takes tests away makes a part; an option that takes none away, or that was not typed, does not."""
    assert expected == selection(argparse.Namespace(**typed), paths, taken, ignored)


@pytest.mark.parametrize(
    ("error", "finished", "collected", "expected"),
    [
        (None, 5, 5, ""),
        (None, 0, 0, ""),
        (None, 4, 5, ""),  # a test that crashed its process has no end
        (KeyboardInterrupt("^C"), 3, 5, "stopped by Ctrl-C"),
        (pytest.Session.Failed("stopping after 1 failures"), 3, 5, "stopped early: stopping after 1 failures"),
        (pytest.Session.Interrupted("1 error during\ncollection"), 0, 0, "stopped early: 1 error during collection"),
        (pytest.Session.Failed("stopping after 1 failures"), 5, 5, ""),  # the last one failed
        (RuntimeError(), 0, 5, "stopped early: RuntimeError"),
    ],
)
def test_a_run_that_ended_before_its_last_test_says_why(
    error: BaseException | None, finished: int, collected: int, expected: str
) -> None:
    """A run that was left with tests to do was stopped early; one that was left after its last test was not."""
    assert expected == early_end(error, finished, collected)


@pytest.mark.parametrize(
    ("modules", "program", "expected"),
    [
        ((), "/venv/bin/pytest", ""),
        (("vscode_pytest",), "/x/run_pytest_script.py", "VS Code"),
        ((), "/opt/pycharm/helpers/_jb_pytest_runner.py", "PyCharm"),
        (("_jb_pytest_runner",), "", "PyCharm"),
        ((), "/home/_jb_pytest_runner/bin/pytest", ""),
    ],
)
def test_an_ide_is_known_by_its_runner(modules: tuple[str, ...], program: str, expected: str) -> None:
    """VS Code is known by its plugin's module, PyCharm by its runner's module or script."""
    assert expected == ide_of(modules, program)


@pytest.mark.parametrize(
    ("given", "part", "ide", "expected"),
    [
        (options(), "", "", options()),
        (options(None), "-k chat", "", options(None)),
        (replace(options(each=50), strict=True), "-k chat", "", replace(options(each=50), strict=True)),
        (options(75, "the command line"), "-k chat", "", options(75, "the command line")),
    ],
)
def test_what_stays_in_force(given: Options, part: str, ide: str, expected: Options) -> None:
    """A whole run, a typed threshold and ``--vmpilot-cov-strict`` leave the thresholds as they are."""
    assert expected == enforced(given, part, ide)


@pytest.mark.parametrize(
    ("given", "ide", "in_force", "text"),
    [
        (options(), "", None, "fail_under 75 from .coveragerc|it"),
        (options(where="addopts"), "", None, "fail_under 75 from addopts|it"),
        (options(each=50), "", None, f"fail_under 75 from .coveragerc and each 50 from {SECTION}|them"),
        (options(where=SECTION, unit=60, each=50), "", None, f"fail_under 75, unit 60, each 50 from {SECTION}|them"),
        (options(where="the command line", unit=60), "", 75.0, f"unit 60 from {SECTION}|it"),
        (options(where="the command line"), "VS Code", None, "fail_under 75 from the command line of VS Code|it"),
        (options(), "PyCharm", None, "fail_under 75 from .coveragerc|it"),
    ],
)
def test_a_partial_run_leaves_configured_thresholds_out(
    given: Options, ide: str, in_force: float | None, text: str
) -> None:
    """In a partial run thresholds of a configuration, of addopts and of an IDE are not in force; one line says so."""
    what, _, pronoun = text.partition("|")
    line = f"Not enforced: {what}, because only a part was run (-k chat); --vmpilot-cov-strict enforces {pronoun}"
    left = enforced(given, "-k chat", ide)
    assert (in_force, given.fail_under.where, (), line) == (
        left.fail_under.value,
        left.fail_under.where,
        left.thresholds,
        left.not_enforced,
    )


def test_without_a_threshold_nothing_is_asked() -> None:
    """Without any threshold there is nothing to say of them."""
    assert not thresholds_in_words(options(None))

"""Which tests a change affects, in real git repositories: why, and what cannot be known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_vmpilot_cov.changes.affected import Affected, affected_tests
from pytest_vmpilot_cov.messages import UsageError
from server_hook.store.blocks import ByContent, blocks_of
from server_hook.store.fingerprint import fingerprint, fingerprint_of
from server_hook.store.segment import Part, Source, bitmap
from tests.unit.changes.conftest import Repo
from tests.unit.conftest import a_part, some_options

SHOP = """\
TAX = 3

def price(number):
    return number * TAX

def sell(number=1):
    return price(number)

def lifespan():
    return 0
"""
UNIT, E2E, OTHER = "tests/unit/test_shop.py::test_price", "tests/e2e/test_sell.py::test_sell", "tests/test_x.py::test_x"
SERVED = {"": [1, 3, 6, 9, 4, 7, 10], E2E: [4, 7]}
"""What a server ran: at import, in its lifespan, and for a test."""


@pytest.fixture
def shop(repo: Repo) -> Repo:
    """Give a repository of a module and tests that ran parts of it; another test ran nothing of it."""
    repo.write("app/shop.py", SHOP)
    repo.write("app/lib.py", "def lib():\n    return 1\n")
    repo.write("readme.md", "text\n")
    for name in (UNIT, E2E, OTHER):
        repo.write(name.partition("::")[0], "def test(): pass\n")
    repo.write("tests/e2e/conftest.py", "NAME = 1\n")
    repo.commit()
    return repo


def measured(repo: Repo) -> list[Part]:
    """Make what was measured of the files as they are now."""

    def parts(origin: str, name: str, lines: Mapping[str, list[int]]) -> list[Part]:
        path = str(repo.path / "app" / name)
        source = Source(path, fingerprint(path))
        contexts = {test: f"{test}|run" if test else "" for test in lines}
        return [a_part(origin, {source: bitmap(each)}, context=contexts[test]) for test, each in lines.items()]

    unit = parts("unit", "shop.py", {"": [1, 3, 6, 9], UNIT: [4]})
    return [*unit, *parts("pipeline", "shop.py", SERVED), *parts("unit", "lib.py", {"": [1], OTHER: [2]})]


def answer(repo: Repo, parts: list[Part], since: str = "HEAD", blocks: ByContent | None = None) -> Affected:
    """Ask which tests are affected since a commit."""
    return affected_tests(some_options(repo.path), since, parts, blocks or {})


def test_nothing_changed(shop: Repo) -> None:
    """Without a change no test is affected."""
    found = answer(shop, measured(shop))
    assert (dict(found.tests), found.of, found.unknown, found.against) == ({}, 3, [], "HEAD")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("TAX = 3\n", "TAX = 3  # percent\n\n\n", {}),
        ("return number * TAX", "return TAX * number", {UNIT: "price() changed", E2E: "price() changed"}),
        ("return price(number)", "return 2 * price(number)", {E2E: "sell() changed"}),
        ("number=1", "number=2", dict.fromkeys((UNIT, E2E), "what it runs at import changed")),
        ("TAX = 3", "TAX = 4", dict.fromkeys((UNIT, E2E), "what it runs at import changed")),
        ("def sell", "@print\ndef sell", dict.fromkeys((UNIT, E2E), "what it runs at import changed")),
        (
            "return 0",
            "return 9",
            dict.fromkeys((UNIT, E2E, OTHER), "lifespan() changed, and it also ran for no test"),
        ),
    ],
)
def test_a_change_affects_those_that_ran_it(shop: Repo, before: str, now: str, expected: dict[str, str]) -> None:
    """A body affects exactly the tests that ran it, in a server alone, too; what runs at import all of the module's."""
    parts = measured(shop)
    shop.write("app/shop.py", SHOP.replace(before, now))
    why = {test: [f"app/shop.py: {text}"] for test, text in expected.items()}
    assert dict(answer(shop, parts).tests) == why
    shop.commit()
    assert dict(answer(shop, parts, "HEAD~1").tests) == why


def test_data_of_the_tree_as_it_is_serves_as_well(shop: Repo) -> None:
    """What was measured after the change tells by today's lines which tests ran what changed."""
    text = SHOP.replace("TAX = 3", "TAX = 3\n\n\n").replace("return price(number)", "return 2 * price(number)")
    path = str(shop.write("app/shop.py", text))
    source = Source(path, fingerprint(path))
    parts = [a_part("pipeline", {source: bitmap([each])}, context=test) for test, each in ((UNIT, 7), (E2E, 10))]
    assert answer(shop, parts).tests == {E2E: ["app/shop.py: sell() changed"]}


def test_data_of_another_state_counts_by_the_file(shop: Repo) -> None:
    """What was measured of a third content is told by the whole file, unless the blocks of that were written down."""
    parts = measured(shop)
    shop.commit(other="")
    shop.write("app/shop.py", SHOP.replace("number * TAX", "number + TAX"))
    shop.commit()
    shop.write("app/shop.py", SHOP.replace("number * TAX", "number - TAX"))
    expected = {test: ["app/shop.py changed"] for test in (UNIT, E2E)}
    assert dict(answer(shop, parts).tests) == expected
    blocks = {fingerprint_of(SHOP.encode()): blocks_of(SHOP.encode())}
    expected = {test: ["app/shop.py: price() changed"] for test in (UNIT, E2E)}
    assert dict(answer(shop, parts, blocks=blocks).tests) == expected


@pytest.mark.parametrize("broken", [None, "def"])
def test_a_file_that_is_gone_or_broken_affects_all_of_it(shop: Repo, broken: str | None) -> None:
    """A deleted, renamed or unreadable module affects every test that ran anything of it; a new file is not known."""
    parts = measured(shop)
    path = shop.path / "app" / "shop.py"
    if broken is None:
        path.rename(path.with_name("market.py"))
    else:
        path.write_text(broken)
    found = answer(shop, parts)
    why = "is gone" if broken is None else "changed"
    assert dict(found.tests) == {test: [f"app/shop.py {why}"] for test in (UNIT, E2E)}
    assert found.unknown == (["app/market.py is new: it was not measured"] if broken is None else [])


def test_a_module_that_no_test_runs_affects_all(shop: Repo) -> None:
    """A module of constants runs at import alone: every test may use it."""
    path = str(shop.write("app/constants.py", "A = 1\n"))
    shop.commit()
    parts = [*measured(shop), a_part("pipeline", {Source(path, fingerprint(path)): bitmap([1])})]
    shop.write("app/constants.py", "A = 2\n")
    assert answer(shop, parts).tests.keys() == {UNIT, E2E, OTHER}


def test_files_of_tests_affect_their_tests(shop: Repo) -> None:
    """A test's file affects its tests, a conftest.py those beside and below it; a comment in them affects none."""
    parts = measured(shop)
    shop.write("tests/unit/test_shop.py", "def test(): return 1\n")
    shop.write("tests/e2e/conftest.py", "NAME = 2\n")
    shop.write("tests/test_x.py", "def test(): pass  # a comment\n")
    assert dict(answer(shop, parts).tests) == {
        UNIT: ["tests/unit/test_shop.py changed, and the test is in it"],
        E2E: ["tests/e2e/conftest.py changed"],
    }


def test_what_cannot_be_known_is_named(shop: Repo) -> None:
    """New files, files that are no source and sources without data are listed; what .gitignore names is not."""
    parts = measured(shop)
    shop.write(".gitignore", "*.log\n")
    shop.write("some.log", "")
    shop.write("readme.md", "other\n")
    shop.write("app/new.py", "")
    shop.write("tests/helper.py", "")
    found = answer(shop, parts)
    assert not found.tests
    assert sorted(found.unknown) == [
        ".gitignore is new: it is no Python file",
        "app/new.py is new: it was not measured",
        "readme.md changed: it is no Python file",
        "tests/helper.py is new: it was not measured",
    ]


@pytest.mark.parametrize("ref", ["nowhere", "-x", "HEAD~99", "a b"])
def test_a_commit_that_is_not_there_is_a_message(shop: Repo, ref: str) -> None:
    """A commit that does not exist is refused in one line."""
    with pytest.raises(UsageError, match=r"--since.* \(change-base-unknown\)"):
        answer(shop, measured(shop), ref)


def test_a_shallow_clone_is_named(shop: Repo, tmp_path: Path) -> None:
    """Where a shallow clone lacks the commit, the message says how to get it."""
    first = shop.git("rev-parse", "HEAD")
    shop.commit(more="")
    clone = Repo(tmp_path / "clone")
    shop.git("clone", "-q", "--depth", "1", f"file://{shop.path}", str(clone.path))
    with pytest.raises(UsageError, match="change-base-shallow"):
        answer(clone, measured(shop), first)


def test_without_a_repository_or_git_it_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no repository, or no git, one line says so."""
    parts = [a_part("unit", {Source("/a.py"): 2}, context="test_one")]
    with pytest.raises(UsageError, match="git-nowhere"):
        affected_tests(some_options(tmp_path), "main", parts, {})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git-missing"):
        affected_tests(some_options(tmp_path), "main", parts, {})


def test_without_tests_it_is_said_how_to_record_them(shop: Repo) -> None:
    """Where no test was told apart, one line says what to run."""
    with pytest.raises(UsageError, match="--cov-context=test"):
        answer(shop, [a_part("unit", {Source("/a.py"): 2})])

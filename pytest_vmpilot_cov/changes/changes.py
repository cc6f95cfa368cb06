"""Options and the project's files -> Diff: the lines of each file that a change added or touched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from pytest_vmpilot_cov.changes.base import find_base
from pytest_vmpilot_cov.changes.git import GitError, Repository
from pytest_vmpilot_cov.changes.hunks import Touched, added_lines, touched_files
from pytest_vmpilot_cov.messages import UsageError, first_of, say
from pytest_vmpilot_cov.model import Diff, Options

_AT_ONCE = 500
"""How many files one call of git is asked for: a command line has a limit."""
# the plumbing command: it doesn't read how the user likes patches to look
_COMPARE = ("diff-index", "--find-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")
_AS_PATCH = (
    *("--patch", "--unified=0", "--inter-hunk-context=0", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"),
    *("--text", "--diff-algorithm=default", "--indent-heuristic"),  # --text: attributes may call a source binary
)


def changed_lines(options: Options, paths: Iterable[str]) -> Diff:
    """Ask git for the lines of source files that differ from the base, whether they are committed or not.

    Args:
        options: whose project it is, and what to compare with.
        paths: the project's files, absolute. Nothing is asked about others, however large they are.
    """
    if options.change is None:
        return Diff()
    try:
        git = Repository(str(options.root))
        base = find_base(git, options.change)
        here = {os.fsencode(os.path.relpath(os.path.realpath(path), git.top)): path for path in paths}
        touched = [*touched_files(git.ask(*_COMPARE, "--raw", "-z", base.commit, "--"))]
        added = _added(git, base.commit, [each for each in touched if each.name in here])
        untracked = git.ask("ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
        lines = {here[name]: tuple(numbers) for name, numbers in added.items() if numbers}
        lines |= {here[name]: _all_lines(here[name]) for name in untracked if name in here}
    except GitError as error:
        return Diff(problem=str(error))
    return Diff(lines, base.commit, base.against, git.top, tuple(_of_submodules(touched, here)))


def check_base(options: Options) -> None:
    """Refuse a commit that was named and isn't there, before the tests run for nothing.

    Raises:
        UsageError: with the reason.
    """
    if options.change is not None and options.change.value:
        try:
            find_base(Repository(str(options.root)), options.change)
        except GitError as error:
            raise UsageError(str(error)) from None


def _added(git: Repository, base: str, touched: list[Touched]) -> dict[bytes, list[int]]:
    added: dict[bytes, list[int]] = {}
    for start in range(0, len(touched), _AT_ONCE):
        some = touched[start : start + _AT_ONCE]
        # with both names, so that git sees the same renames again
        names = dict.fromkeys(name for each in some for name in (each.before, each.name))
        added |= added_lines(git.ask(*_COMPARE, *_AS_PATCH, base, "--", *map(os.fsdecode, names)))
    # without names that only lead to renamed ones
    return {each.name: added[each.name] for each in touched if each.name in added}


def _all_lines(path: str) -> tuple[int, ...]:
    try:
        with open(path, "rb") as file:
            return tuple(number for number, _ in enumerate(file, 1))
    except OSError:  # it has gone since it was counted
        return ()


def _of_submodules(touched: Iterable[Touched], here: Mapping[bytes, str]) -> Iterable[str]:
    """Name submodules that the change moved, if they hold files of the project."""
    moved = [each.name for each in touched if each.is_submodule]
    holding = sorted({name for name in moved for each in here if each.startswith(name + b"/")})
    if holding:
        yield say("change-in-submodule", names=first_of([*map(os.fsdecode, holding)]))

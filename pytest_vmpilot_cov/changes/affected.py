"""Which tests a change to the sources affects, why, and what cannot be known."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pytest_vmpilot_cov.changes import ran
from pytest_vmpilot_cov.changes.base import find_base
from pytest_vmpilot_cov.changes.git import GitError, Repository
from pytest_vmpilot_cov.changes.ran import Ran, State
from pytest_vmpilot_cov.messages import UsageError, say, shown_path
from pytest_vmpilot_cov.model import Options, Setting
from pytest_vmpilot_cov.model.value import Value
from server_hook.store.blocks import MODULE, Blocks, ByContent, blocks_of, changed_blocks, lines_of
from server_hook.store.fingerprint import fingerprint_of
from server_hook.store.segment import Part

EVERYTHING = -1
"""The bitmap of all lines."""


@dataclass
class Affected:
    """The answer."""

    against: str = ""
    """What the working tree was compared with, in words."""
    tests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Test -> why, one sentence for each file and reason."""
    of: int = 0
    """How many tests have data."""
    unknown: list[str] = field(default_factory=list)
    """What changed and may affect any test."""


class _Changed(Value):
    """A file that is not as it was."""

    path: str
    name: str
    """How reports call it."""
    before: bytes | None
    """None where it was not there."""
    now: bytes | None


def affected_tests(options: Options, since: str, parts: Iterable[Part], measured_blocks: ByContent) -> Affected:
    """Compare the working tree with a commit, and choose the tests that ran what changed.

    Args:
        options: whose project it is.
        since: a commit, a branch or a tag.
        parts: what was measured, each file by its path here.
        measured_blocks: the blocks of what was measured, where they were written down.

    Raises:
        UsageError: when git or the commit is missing, or when no test was told apart.
    """
    measured = ran.read(parts, measured_blocks)
    if not measured.tests:
        raise UsageError(say("tests-unrecorded"))
    try:
        git = Repository(str(options.root))
        base = find_base(git, Setting(since, "--since"))
        changed = list(_changed(git, base.commit, options))
    except GitError as error:
        raise UsageError(str(error)) from None
    answer = Affected(against=base.against, of=len(measured.tests))
    for each in changed:
        _judge(each, measured, options, answer)
    return answer


def _changed(git: Repository, base: str, options: Options) -> Iterator[_Changed]:
    words = ("--name-status", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty")
    fields = iter(git.ask("diff-index", *words, base, "--").split(b"\0"))
    names = [(status, name) for status, name in zip(fields, fields, strict=False) if status]
    names += [(b"A", name) for name in git.ask("ls-files", "--others", "--exclude-standard", "-z").split(b"\0") if name]
    for status, octets in names:
        name = os.fsdecode(octets)
        path = os.path.join(git.top, name)
        shown = shown_path(path, options.root)
        if os.path.isdir(path):
            yield _Changed(path, shown, b"a submodule at its commit", b"")
            continue
        before = None if status == b"A" else git.ask("cat-file", "blob", f"{base}:{name}")
        now = _content(path)
        if before != now:  # else git hasn't looked into the file
            yield _Changed(path, shown, before, now)


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # deleted
        return None


def _judge(each: _Changed, measured: Ran, options: Options, answer: Affected) -> None:
    """Add the tests that one changed file affects."""
    before, now = _blocks(each.before), _blocks(each.now)
    # None where it can't be said block by block
    blocks = changed_blocks(before, now) if before is not None and now is not None else None
    if blocks is not None and not blocks:
        return
    own = measured.of_file(each.path, options.root)
    why_own = "changed" if os.path.basename(each.path) == "conftest.py" else "changed, and the test is in it"
    for test in own if each.now is not None else ():
        answer.tests[test].append(f"{each.name} {why_own}")
    if each.path in measured.files:
        for mark, state in measured.files[each.path].items():
            for test, why in _reasons(each, blocks, mark, state, measured):
                if why not in answer.tests[test]:
                    answer.tests[test].append(why)
    elif not own:
        answer.unknown.append(f"{each.name} {_how(each)}: {_why_unknown(each.name)}")


def _reasons(
    each: _Changed, changed: set[str] | None, mark: str, state: State, measured: Ran
) -> Iterator[tuple[str, str]]:
    """Yield the tests that a changed file affects by what was measured of one of its states, and why."""
    blocks = _at(mark, each) or measured.blocks.get(mark)
    if changed is None or blocks is None:
        yield from _of_module(f"{each.name} {_how(each)}", state, measured)
        return
    for block in sorted(changed & blocks.keys()):
        if block == MODULE:
            yield from _of_module(f"{each.name}: what it runs at import changed", state, measured)
            continue
        why, lines = f"{each.name}: {block}() changed", lines_of(blocks, block)
        yield from ((test, why) for test in state.running(lines))
        if state.for_no_test(lines):
            yield from ((test, f"{why}, and it also ran for no test") for test in measured.tests)


def _of_module(why: str, state: State, measured: Ran) -> Iterator[tuple[str, str]]:
    """Yield those that ran anything of a module; if none did, all may use what it defines."""
    tests = state.running(EVERYTHING)
    yield from ((test, why) for test in tests)
    if not tests:
        yield from ((test, f"{why}; it ran for no test alone") for test in measured.tests)


def _blocks(source: bytes | None) -> Blocks | None:
    try:
        return None if source is None else blocks_of(source)
    except ValueError:
        return None


def _at(mark: str, each: _Changed) -> Blocks | None:
    """Return the blocks of the content that was measured, if that is the one before or the one now."""
    for source in (each.now, each.before):
        if source is not None and fingerprint_of(source) == mark:
            return _blocks(source)
    return None


def _how(each: _Changed) -> str:
    return "is new" if each.before is None else "is gone" if each.now is None else "changed"


def _why_unknown(name: str) -> str:
    return "it was not measured" if name.endswith(".py") else "it is no Python file"

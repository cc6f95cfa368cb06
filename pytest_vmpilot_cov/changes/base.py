"""Which commit a change is compared with: the one that was named, or where the branch left its upstream branch."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pytest_vmpilot_cov.changes.git import GitError, Repository
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Setting
from pytest_vmpilot_cov.model.value import Value

_LOCAL = "refs/heads/"
_COMMITS_IN_CI = (
    # first, because only a pipeline for a merged result has it: there, the other one is too old
    "CI_MERGE_REQUEST_TARGET_BRANCH_SHA",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA",
)
_BRANCHES_IN_CI = ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "GITHUB_BASE_REF")
"""Variables that name a base."""
_USUAL = ("main", "master")
"""What the branch that others leave is called if the remote doesn't say it."""


class Base(Value):
    """What the working tree is compared with."""

    commit: str
    """Its full name; that of the empty tree if there is no commit yet."""
    against: str
    """How it was chosen, in words."""


def find_base(git: Repository, typed: Setting[str]) -> Base:
    """Find what the working tree is compared with: always a commit that HEAD comes from.

    Args:
        git: the repository.
        typed: a commit, a branch or a tag, and where it was named; empty for the default.

    Raises:
        GitError: when there is no such commit here.
    """
    head = _commit(git, "HEAD")
    remotes = git.answer("remote").split("\n")
    remote = f"refs/remotes/{'origin' if 'origin' in remotes else remotes[0]}/"
    candidates = _typed(typed, remote) if typed.value else [*_of_ci(remote)]
    for ref, _ in candidates or _upstreams(git, remote):
        if commit := _commit(git, ref):
            return _left(git, head, commit, ref)
    if candidates:
        raise GitError(_no_commit(git, *candidates[0]))
    if not head:
        return Base(git.answer("hash-object", "-t", "tree", os.devnull), "an empty repository")
    if not git.answer("symbolic-ref", "--quiet", "HEAD"):
        raise GitError(say("change-base-none"))
    return Base(head, "HEAD, as there is no upstream branch")


def _typed(setting: Setting[str], remote: str) -> list[tuple[str, str]]:
    # a clone of CI has the branches of its remote, and none of its own
    return [(ref, setting.where) for ref in (setting.value, f"{remote}{setting.value}")]


def _of_ci(remote: str) -> Iterator[tuple[str, str]]:
    for name in (*_COMMITS_IN_CI, *_BRANCHES_IN_CI):
        if value := os.environ.get(name):
            places = ("",) if name in _COMMITS_IN_CI else (remote, _LOCAL)
            yield from ((f"{place}{value}", name) for place in places)


def _upstreams(git: Repository, remote: str) -> Iterator[tuple[str, str]]:
    """Yield what the branch may have left, the likeliest first.

    A branch that was pushed under its own name has that for its upstream in git's eyes: it tells what was pushed, not
    what the branch adds.
    """
    branch = git.answer("symbolic-ref", "--quiet", "--short", "HEAD")
    tracked = git.answer("rev-parse", "--verify", "--quiet", "--symbolic-full-name", "@{upstream}") if branch else ""
    default = git.answer("symbolic-ref", "--quiet", f"{remote}HEAD")
    refs = [tracked if not tracked.endswith(f"/{branch}") else "", default, *(remote + name for name in _USUAL)]
    refs += [tracked, *(_LOCAL + name for name in _USUAL if name != branch)]
    yield from ((ref, "") for ref in refs if ref)


def _left(git: Repository, head: str, commit: str, ref: str) -> Base:
    """Return where HEAD left a commit's history."""
    shown = _shown(ref)
    if not head:
        return Base(commit, shown)
    common = git.answer("merge-base", "HEAD", commit)
    if not common:
        raise GitError(_shallow(git, shown) or say("change-base-unrelated", ref=shown))
    return Base(common, shown if common == commit else f"the merge base with {shown}")


def _commit(git: Repository, ref: str) -> str:
    """Return a commit's full name; empty if there is no such commit."""
    # what begins with - would be an option
    return "" if ref.startswith("-") else git.answer("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")


def _no_commit(git: Repository, ref: str, where: str) -> str:
    ref = _shown(ref)
    return _shallow(git, ref) or say("change-base-unknown", ref=ref, where=where)


def _shallow(git: Repository, ref: str) -> str:
    """Say that a shallow clone may lack what is needed; nothing if this is none."""
    is_shallow = git.answer("rev-parse", "--is-shallow-repository") == "true"
    return say("change-base-shallow", ref=ref) if is_shallow else ""


def _shown(ref: str) -> str:
    return ref.removeprefix("refs/").removeprefix("remotes/").removeprefix("heads/")

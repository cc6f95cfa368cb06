"""Real repositories in every state, and the lines that count as changed in each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.changes import changes
from pytest_vmpilot_cov.changes.changes import changed_lines, check_base
from pytest_vmpilot_cov.changes.git import Repository
from pytest_vmpilot_cov.messages import UsageError
from pytest_vmpilot_cov.model import Setting
from tests.unit.changes.conftest import Repo, numbered
from tests.unit.conftest import some_options

LINES = numbered("a", 4)
PLUS = LINES.replace("a2 = 2\n", "a2 = 20\nextra = 1\n")
"""The same with line 2 changed and line 3 added."""


def test_committed_staged_and_unstaged_lines_count(clone: Repo) -> None:
    """What was committed since the branch left its upstream branch counts, and what isn't committed does too."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.write("b.py", numbered("b", 4) + "staged = 1\n")
    clone.git("add", "b.py")
    clone.write("a.py", f"{PLUS}unstaged = 1\n")
    assert clone.lines() == {"a.py": [2, 3, 6], "b.py": [5]}
    diff = clone.diff()
    assert (diff.base, diff.against) == (clone.git("rev-parse", "origin/main"), "origin/main")


def test_lines_move_with_what_is_not_committed(clone: Repo) -> None:
    """Lines are numbered as they are in the file now, which is what was measured."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=f"{LINES}committed = 1\n")
    clone.write("a.py", f"first = 0\n{LINES}committed = 1\n")
    assert clone.lines() == {"a.py": [1, 6]}


def test_what_upstream_added_meanwhile_is_not_the_changes(repo: Repo, clone: Repo) -> None:
    """The change is compared with where it left the upstream branch, not with that branch's tip."""
    repo.commit(b="rewritten = 1\n")
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.git("fetch", "-q")
    assert clone.lines() == {"a.py": [2, 3]}
    assert clone.diff().against == "the merge base with origin/main"


def test_untracked_files_count_and_ignored_ones_do_not(clone: Repo) -> None:
    """A file that nobody has added yet is all new; what git ignores is no part of the change."""
    clone.write("new.py", "x = 1\ny = 2")
    clone.write("generated.py", "z = 1\n")
    clone.write(".gitignore", "generated.py\n")
    assert clone.lines() == {"new.py": [1, 2], ".gitignore": [1]}


def test_a_file_that_will_be_added_counts_once(clone: Repo) -> None:
    """``git add -N`` makes a file neither untracked nor staged: its lines count all the same."""
    clone.write("new.py", "x = 1\ny = 2\n")
    clone.git("add", "-N", "new.py")
    assert clone.lines() == {"new.py": [1, 2]}


def test_a_renamed_file_counts_for_what_changed_in_it(clone: Repo) -> None:
    """Of a renamed file only the lines that differ count; of a deleted one nothing."""
    clone.git("mv", "a.py", "moved.py")
    clone.write("moved.py", numbered("a", 4) + "more = 1\n")
    clone.git("rm", "-q", "b.py")
    assert clone.lines() == {"moved.py": [5]}
    clone.git("commit", "-q", "-a", "-m", "moved")
    assert clone.lines() == {"moved.py": [5]}


def test_other_files_are_not_asked_for(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """No patch is made of files that the project doesn't measure, such as large binary ones."""
    calls: list[tuple[str, ...]] = []
    ask = Repository.ask

    def noted(git: Repository, *words: str, accepted: tuple[int, ...] = (0,)) -> bytes:
        calls.append(words)
        return ask(git, *words, accepted=accepted)

    monkeypatch.setattr(Repository, "ask", noted)
    (clone.path / "model.bin").write_bytes(bytes(range(256)) * 100)
    clone.commit(a=PLUS)
    options = replace(some_options(clone.path), change=Setting("origin/main"))
    assert [*changed_lines(options, [str(clone.path / "a.py")]).lines] == [str(clone.path / "a.py")]
    patched = [words[words.index("--") + 1 :] for words in calls if "--patch" in words]
    assert patched == [("a.py",)]


def test_a_source_that_attributes_call_binary_counts(clone: Repo) -> None:
    """Attributes that keep a file out of diffs don't keep it out of the change."""
    clone.write(".gitattributes", "*.py -diff\n")
    clone.write("a.py", PLUS)
    assert clone.lines()["a.py"] == [2, 3]


ODD = ("with space.py", "ümlaut.py", 'quo"te.py', "tab\tname.py", "line\nbreak.py", "back\\slash.py", ":(top)magic.py")


@pytest.mark.parametrize("name", [*ODD, "-option.py", "[a].py", "b/b.py"])
def test_files_of_any_name_count(clone: Repo, name: str) -> None:
    """A name with quotes, line breaks or letters that git escapes, or that it could take for a pattern, is a name."""
    clone.write(name, LINES)
    clone.commit()
    base = clone.git("rev-parse", "HEAD")
    clone.write(name, PLUS)
    assert clone.lines(base) == {name: [2, 3]}
    clone.git("mv", "--", name, f"moved {name.replace('/', '-')}")
    assert clone.lines(base) == {f"moved {name.replace('/', '-')}": [2, 3]}


CONFIGURED = {
    "diff.noprefix": "true",
    "diff.mnemonicPrefix": "true",
    "diff.external": "false",
    "diff.context": "9",
    "diff.interHunkContext": "9",
    "diff.renames": "false",
    "diff.algorithm": "patience",
    "diff.suppressBlankEmpty": "true",
    "diff.relative": "true",
    "diff.wordRegex": ".",
    "diff.orderFile": "/nowhere",
    "color.ui": "always",
    "color.diff": "always",
    "core.quotePath": "true",
    "core.pager": "false",
    "core.fsmonitor": "false",
    "status.showUntrackedFiles": "no",
    "diff.ignoreSubmodules": "all",
    "diff.py.textconv": "false",
    "diff.py.command": "false",
}


def test_the_users_configuration_changes_nothing(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the user likes patches to look, and whatever a hook's environment says, the lines are the same."""
    clone.write(".gitattributes", "*.py diff=py\n")
    clone.git("mv", "b.py", "ünder b.py")
    clone.commit(a=PLUS)
    clone.write("neu.py", "x = 1\n")
    expected = clone.lines()
    assert expected == {".gitattributes": [1], "a.py": [2, 3], "neu.py": [1]}
    for name, value in CONFIGURED.items():
        clone.git("config", name, value)
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_EXTERNAL_DIFF"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=5")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert clone.lines() == expected


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_line_ends_that_git_converts_are_no_change(clone: Repo, setting: str) -> None:
    """A file with CRLF counts for its changed lines alone, whether git converts line ends or keeps them."""
    clone.git("config", "core.autocrlf", setting)
    text = LINES.replace("\n", "\r\n")
    clone.write("crlf.py", text)
    clone.git("add", "crlf.py")
    clone.git("commit", "-q", "-m", "work")
    base = clone.git("rev-parse", "HEAD")
    clone.write("crlf.py", PLUS.replace("\n", "\r\n"))
    assert clone.lines(base) == {"crlf.py": [2, 3]}


def test_a_project_in_a_subfolder_finds_its_repository(clone: Repo) -> None:
    """The project may be any folder of the repository; files outside it are none of its own."""
    clone.write("lib/deep/c.py", LINES)
    clone.write("a.py", PLUS)
    assert clone.lines(folder="lib/deep") == {"lib/deep/c.py": [1, 2, 3, 4]}
    clone.git("add", "-A")
    assert clone.lines(folder="lib") == {"lib/deep/c.py": [1, 2, 3, 4]}


def test_a_linked_working_tree_is_one(clone: Repo, tmp_path: Path) -> None:
    """In a folder of ``git worktree``, the change is what is there."""
    clone.git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "tree"))
    tree = Repo((tmp_path / "tree").resolve())
    tree.write("a.py", PLUS)
    assert tree.lines() == {"a.py": [2, 3]}


def test_a_link_to_the_project_leads_to_its_files(clone: Repo, tmp_path: Path) -> None:
    """A project that is reached by a symbolic link has the same change, under the names it was given."""
    clone.write("a.py", PLUS)
    (tmp_path / "link").symlink_to(clone.path)
    assert Repo(tmp_path / "link").lines() == {"a.py": [2, 3]}


def test_before_the_first_commit_everything_is_new(repo: Repo) -> None:
    """Without any commit, all staged and all untracked lines are the change."""
    repo.write("a.py", LINES)
    repo.git("add", "a.py")
    repo.write("b.py", "x = 1\n")
    assert repo.lines() == {"a.py": [1, 2, 3, 4], "b.py": [1]}
    assert repo.diff().against == "an empty repository"


def test_without_an_upstream_branch_uncommitted_lines_count(repo: Repo) -> None:
    """On the only branch of a repository without a remote, the change is what isn't committed."""
    repo.commit(a=LINES)
    repo.write("a.py", PLUS)
    assert repo.lines() == {"a.py": [2, 3]}
    assert repo.diff().against == "HEAD, as there is no upstream branch"


def test_a_local_branch_is_compared_with_main(repo: Repo) -> None:
    """Without a remote, a branch is compared with where it left main."""
    repo.commit(a=LINES)
    repo.git("checkout", "-q", "-b", "feature")
    repo.commit(a=PLUS)
    assert repo.lines() == {"a.py": [2, 3]}


def test_a_branch_that_was_pushed_is_compared_with_the_default_branch(clone: Repo) -> None:
    """What a branch has already pushed under its own name still belongs to its change."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.git("push", "-q", "-u", "origin", "feature")
    assert clone.lines() == {"a.py": [2, 3]}


def test_the_upstream_branch_that_git_knows_comes_first(clone: Repo) -> None:
    """A branch that tracks another one than the default branch is compared with that one."""
    clone.git("checkout", "-q", "-b", "release")
    clone.commit(b=numbered("b", 5))
    clone.git("push", "-q", "-u", "origin", "release")
    clone.git("checkout", "-q", "-b", "fix", "--track", "origin/release")
    clone.commit(a=PLUS)
    assert clone.lines() == {"a.py": [2, 3]}


@pytest.mark.parametrize("ref", ["", "main"])
def test_a_remote_may_have_any_name(clone: Repo, ref: str) -> None:
    """A clone whose only remote isn't called origin is compared with that one's branches."""
    clone.git("remote", "rename", "origin", "company")
    clone.git("checkout", "-q", "-b", "feature")
    clone.git("branch", "-q", "-D", "main")
    clone.commit(a=PLUS)
    assert clone.lines(ref) == {"a.py": [2, 3]}
    assert clone.diff(ref).against == "company/main"


def set_github(clone: Repo) -> dict[str, str]:
    """Check out what actions/checkout does for a pull request: the merge into main, without a branch."""
    clone.git("checkout", "-q", "--detach", "origin/main")
    clone.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    return {"GITHUB_BASE_REF": "main"}


def set_gitlab(clone: Repo) -> dict[str, str]:
    """Check out what GitLab does for a merge request: its last commit, without a branch."""
    clone.git("checkout", "-q", "--detach", "feature")
    base = clone.git("merge-base", "feature", "origin/main")
    return {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "nowhere"}


def set_gitlab_merged(clone: Repo) -> dict[str, str]:
    """Check out what GitLab does for a merged result."""
    base = clone.git("merge-base", "feature", "origin/main")
    set_github(clone)
    target = clone.git("rev-parse", "origin/main")
    return {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": target}


def set_gitlab_branch(clone: Repo) -> dict[str, str]:
    """Check out the same where only the branch is named."""
    clone.git("checkout", "-q", "--detach", "feature")
    return {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}


@pytest.mark.parametrize("service", [set_github, set_gitlab, set_gitlab_merged, set_gitlab_branch])
def test_in_ci_the_base_is_the_one_that_the_service_names(
    repo: Repo, clone: Repo, monkeypatch: pytest.MonkeyPatch, service: Callable[[Repo], dict[str, str]]
) -> None:
    """GitHub and GitLab name what a request is to be merged into, in variables."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    repo.commit(b="of = 'somebody else'\n")
    clone.git("fetch", "-q")
    clone.git("remote", "set-head", "origin", "--delete")
    for name, value in service(clone).items():
        monkeypatch.setenv(name, value)
    assert clone.lines() == {"a.py": [2, 3]}


@pytest.mark.parametrize("variable", ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_DIFF_BASE_SHA"])
def test_a_shallow_clone_is_named_with_the_cure(
    repo: Repo, clone: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """If the base is not in a shallow clone, the message says so, with the setting of each service."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.git("push", "-q", "origin", "feature")
    shallow = Repo(tmp_path / "shallow")
    clone.git("clone", "-q", "--depth=1", "--branch=feature", f"file://{repo.path}", str(shallow.path))
    monkeypatch.setenv(variable, "main" if variable.startswith("GITHUB") else clone.git("rev-parse", "origin/main"))
    problem = shallow.diff().problem
    assert "fetch-depth: 0" in problem
    assert "GIT_DEPTH: 0" in problem
    assert problem.endswith("(change-base-shallow)")


def test_a_shallow_clone_without_common_history_is_named(repo: Repo, clone: Repo, tmp_path: Path) -> None:
    """A clone may have both branches, and not the commit where they parted."""
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.git("push", "-q", "origin", "feature")
    repo.commit(b="x = 1\n")
    shallow = Repo(tmp_path / "shallow")
    words = ("clone", "-q", "--depth=1", "--no-single-branch", "--branch=feature")
    clone.git(*words, f"file://{repo.path}", str(shallow.path))
    assert shallow.diff("origin/main").problem.endswith("(change-base-shallow)")


def test_a_submodule_that_moved_is_named(clone: Repo, tmp_path: Path) -> None:
    """Lines in a submodule are not those of the change; if files of the project lie there, that is said."""
    library = Repo(tmp_path / "library")
    library.path.mkdir()
    library.git("init", "-q", "-b", "main")
    library.commit(c=LINES)
    clone.git("submodule", "--quiet", "add", str(library.path), "lib")
    clone.commit()
    base = clone.git("rev-parse", "HEAD")
    inside = Repo(clone.path / "lib")
    assert clone.diff(base).notes == ()
    inside.commit(c=PLUS)
    (note,) = clone.diff(base).notes
    assert "moved lib to another commit" in note
    assert clone.lines(base) == {}
    assert inside.lines() == {"c.py": [2, 3]}


def test_a_folder_without_a_repository_is_named(tmp_path: Path) -> None:
    """Without a repository nothing is known, and the message names the folder."""
    problem = Repo(tmp_path).diff().problem
    assert problem.endswith(f"{tmp_path} belongs to no git repository (git-nowhere)")


def test_a_machine_without_git_is_named(clone: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where git isn't installed, the message says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert clone.diff().problem.endswith("(git-missing)")


def test_a_repository_of_another_user_is_named_with_the_cure(
    clone: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What git refuses for its owner is named with the command that allows it."""
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    refusal = f"fatal: detected dubious ownership in repository at '{clone.path}'"
    script.write_text(f'#!/bin/sh\necho "{refusal}" >&2\nexit 128\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    assert f"git config --global --add safe.directory {clone.path}" in clone.diff().problem


@pytest.mark.parametrize("ref", ["nowhere", "-c", "HEAD:a.py", "a..b", "--output=x", "zero\0byte"])
def test_a_commit_that_is_not_there_is_refused_before_the_tests(clone: Repo, ref: str) -> None:
    """A commit that was named and isn't there is a usage error that says where it was named."""
    options = replace(some_options(clone.path), change=Setting(ref, "--vmpilot-cov-changed"))
    with pytest.raises(UsageError, match=r"\(from --vmpilot-cov-changed\) is not a commit here|git failed"):
        check_base(options)
    assert changed_lines(options, []).problem
    assert not (clone.path / "x").exists()


@pytest.mark.parametrize("ref", ["main", "origin/main", "v1", "HEAD~1", "feature~1"])
def test_any_name_of_a_commit_can_be_compared_with(clone: Repo, ref: str) -> None:
    """A branch, also of the remote alone, a tag, or a commit relative to another."""
    clone.git("tag", "v1")
    clone.git("checkout", "-q", "-b", "feature")
    clone.commit(a=PLUS)
    clone.git("branch", "-q", "-D", "main")
    check_base(replace(some_options(clone.path), change=Setting(ref, "--vmpilot-cov-changed")))
    assert clone.lines(ref) == {"a.py": [2, 3]}


def test_unrelated_histories_are_named(clone: Repo) -> None:
    """Two histories without a common commit have no change between them."""
    clone.git("checkout", "-q", "--orphan", "other")
    clone.commit(a=PLUS)
    assert clone.diff("origin/main").problem.endswith("(change-base-unrelated)")


def test_without_a_branch_and_a_remote_a_base_has_to_be_named(repo: Repo) -> None:
    """On no branch, with nothing that other branches leave, the message asks for a commit."""
    repo.commit(a=LINES)
    repo.git("checkout", "-q", "--detach")
    repo.git("branch", "-q", "-D", "main")
    assert repo.diff().problem.endswith("(change-base-none)")


def test_many_files_are_asked_for_in_several_calls(clone: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of more files than fit on a command line has the lines of all of them."""
    monkeypatch.setattr(changes, "_AT_ONCE", 2)
    clone.commit(**{f"m{number}": f"x = {number}\n" for number in range(5)})
    clone.git("mv", "a.py", "moved.py")
    assert clone.lines() == {f"m{number}.py": [1] for number in range(5)}


def test_nothing_of_the_repository_is_touched(clone: Repo) -> None:
    """Asking leaves the index as it is, however outdated what it says of files' times."""
    clone.write("a.py", LINES)
    os.utime(clone.path / "a.py", (1, 1))
    before = (clone.path / ".git/index").read_bytes()
    assert clone.lines() == {}
    assert (clone.path / ".git/index").read_bytes() == before

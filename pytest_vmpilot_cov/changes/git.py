"""Run git so that neither the user's configuration nor the environment changes what it answers."""

from __future__ import annotations

import os
import re
import subprocess

from pytest_vmpilot_cov.messages import say
from server_hook.problems import one_line

LIMIT_S = 120
"""How long one call may take, in seconds: in a partial clone git fetches what is missing."""
_CONFIGURED = ("core.quotePath=false", "core.fsmonitor=false", "core.untrackedCache=false")
_DROPPED = frozenset(
    # a hook of git's has the first three, relative to a folder that need not be ours
    [
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
        *("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_CONFIG_PARAMETERS"),
        *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
    ]
)


class GitError(Exception):
    """What git refused or could not do; its text is a message for users."""


class Repository:
    """The repository that a folder belongs to."""

    def __init__(self, folder: str) -> None:
        """Find it.

        Args:
            folder: any folder of the working tree.

        Raises:
            GitError: when git is missing, or there is no repository that it trusts.
        """
        self.top = folder
        """The top folder of the working tree."""
        self.top = os.path.realpath(os.fsdecode(self.ask("rev-parse", "--show-toplevel").removesuffix(b"\n")))

    def ask(self, *words: str, accepted: tuple[int, ...] = (0,)) -> bytes:
        """Return what a command of git prints.

        Args:
            words: the command, to be run in the top folder.
            accepted: exit codes that are answers.

        Raises:
            GitError: when it ends with another one.
        """
        options = [word for setting in _CONFIGURED for word in ("-c", setting)]
        command = ["git", "-C", self.top, "--no-pager", "--literal-pathspecs", *options, *words]
        inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        # messages are recognized in English; no question, and no lock while somebody else works with the index
        fixed = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            done = subprocess.run(  # noqa: S603 - the user's own git, with words that no shell reads
                command,
                env={**inherited, **fixed},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
            )
        except OSError as error:
            raise GitError(say("git-missing", why=error.strerror or error)) from None
        except (subprocess.TimeoutExpired, ValueError) as error:  # ValueError: a zero byte in a word
            raise GitError(say("git-failed", why=one_line(error))) from None
        if done.returncode not in accepted:
            raise GitError(_reason(done.stderr.decode(errors="replace"), self.top))
        return done.stdout

    def answer(self, *words: str) -> str:
        """Return the line that a question about names comes to; empty if there is no such thing.

        Raises:
            GitError: when git cannot be run.
        """
        return os.fsdecode(self.ask(*words, accepted=(0, 1, 128))).strip()


def _reason(said: str, folder: str) -> str:
    """Turn what git says when it refuses into a message."""
    if "dubious ownership" in said or "unsafe repository" in said:
        named = re.search(r"'(.+?)'", said)  # the top folder, which is what has to be allowed
        return say("git-refused", folder=named[1] if named else folder)
    if "not a git repository" in said:
        return say("git-nowhere", folder=folder)
    return say("git-failed", why=one_line(said).removeprefix("fatal: ") or "it printed no reason")

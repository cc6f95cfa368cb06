"""Say what went wrong inside somebody's process, in one line and without harm."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator


class HookError(Exception):
    """A setting or a situation that a person has to change; its text says which and how."""


def printable(text: object) -> str:
    """Make a text of any origin fit to be shown in one line: paths, command lines, answers.

    Control characters, newlines, marks that turn the direction of writing, and octets that are no text become ``?``;
    nothing in it begins a command of a CI service.
    """
    text = str(text)
    if not text.isprintable():
        text = "".join(each if each.isprintable() else "?" for each in text)
    if text.lstrip().startswith("::"):  # GitHub Actions
        text = text.replace("::", "??", 1)
    return text.replace("##[", "??[")  # Azure Pipelines


def printable_lines(text: object) -> str:
    """Make each line of a text fit to show."""
    return "\n".join(map(printable, str(text).split("\n")))


def one_line(error: object) -> str:
    """Return an error's text as one line that is fit to show."""
    return printable(" ".join(str(error).split()))


def log_problem(message: str) -> None:
    """Log one warning to the logger ``vmpilot_cov`` (stderr where logging is not configured); never raise."""
    message = one_line(message)
    try:
        import logging

        logging.getLogger("vmpilot_cov").warning("vmpilot-cov: %s", message)
    except Exception:  # noqa: BLE001 - without descriptors, or in another root, logging cannot be imported
        with contextlib.suppress(Exception):
            sys.stderr.write(f"vmpilot-cov: {message}\n")


class Problems:
    """What is wrong with recording in this process: each kind is logged once, the latest is kept for its status."""

    def __init__(self) -> None:
        """Begin without any."""
        self.latest = ""
        self._logged: set[str] = set()

    def report(self, slug: str, text: str) -> None:
        """Log a problem, unless one of its kind was logged before."""
        self.latest = f"{text} ({slug})"
        if slug not in self._logged:
            self._logged.add(slug)
            log_problem(self.latest)

    def unwritable(self, folder: str, error: OSError) -> None:
        """Report that a folder cannot be written, or something in it that must not be."""
        # a RefusedError has this number, and names what lies in the way
        path = error.filename if error.errno == errno.EPERM and error.filename else folder
        self.report("folder-unwritable", f"{path} cannot be written ({error.strerror}); data waits in memory")

    @contextlib.contextmanager
    def fenced(self, folder: str) -> Iterator[None]:
        """Let no error out, of a thread of ours, an import of the application, or its end; report it instead.

        Args:
            folder: what is written to meanwhile.
        """
        try:
            yield
        except OSError as error:
            self.unwritable(folder, error)
        except Exception as error:  # noqa: BLE001
            self.report("recorder-disturbed", f"recording was disturbed: {type(error).__name__}: {error}")

    def writable(self) -> None:
        """Note that it can be written again."""
        self._logged.discard("folder-unwritable")
        if self.latest.endswith("(folder-unwritable)"):
            self.latest = ""

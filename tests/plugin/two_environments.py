"""One project measured twice: by pytest-cov in an environment without us, and by us; and what both say of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

from tests.conftest import plain
from tests.plugin.parity import Case

THEIR_PACKAGES = (
    "pytest",
    "pytest-cov",
    "coverage",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "pytest-xdist",
    "execnet",
)
PRELOADED = Path(__file__).with_name("preloaded.py")


def make_environment_without_us(folder: Path) -> Path:
    """Make an environment of copies of what is installed here, us left out; return its Python.

    Copies, not links: coverage.py follows links, and would take a linked package for a part of the project.
    """
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in THEIR_PACKAGES:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            source = Path(str(found.locate_file(top)))
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, packages / top)
    return folder / "bin" / "python"


class Sessions:
    """A process that runs one pytest session after the other."""

    def __init__(
        self, python: Path | str, environment: Mapping[str, str], words: Sequence[str], modules: Sequence[str] = ()
    ) -> None:
        """Start it.

        Args:
            python: whose packages the sessions see.
            environment: all of their environment.
            words: what each session is given first.
            modules: what is imported before, beside pytest and coverage.py.
        """
        self._words = words
        command = [str(python), str(PRELOADED), *modules]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, folder: Path, words: Sequence[str]) -> None:
        """Start a session in a folder."""
        assert self._process.stdin is not None
        asked = {"folder": str(folder), "output": f"{folder}.txt", "words": [*self._words, *words]}
        print(json.dumps(asked), file=self._process.stdin, flush=True)

    def answer(self, folder: Path) -> Said:
        """Wait for the session that was asked for."""
        assert self._process.stdout is not None
        code = int(self._process.stdout.readline())
        return Said(code, Path(f"{folder}.txt").read_text("utf-8"))

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@dataclass(frozen=True)
class Said:
    """What a session said at its end."""

    code: int
    output: str = field(repr=False)

    @property
    def table(self) -> list[str]:
        """coverage.py's own table, with what it says below it of files that it has skipped."""
        found = re.search(r"^Name +Stmts(?s:.*?)^TOTAL.*$(\n\n\d+ .*skipped.*$)*", self.output, re.MULTILINE)
        return found[0].splitlines() if found else []

    @property
    def heading(self) -> list[str]:
        """The line above what was reported."""
        return re.findall(r"^_+ coverage: .*$", self.output, re.MULTILINE) if self.table or self.written else []

    @property
    def written(self) -> list[str]:
        """The lines on reports that were written."""
        return sorted(re.findall(r"^Coverage \w+ .*(?:written|appended) .*$", self.output, re.MULTILINE))

    @property
    def required(self) -> list[str]:
        """The line on the threshold; 75.0 is 75."""
        lines = re.findall(r"^(?:FAIL )?Required test coverage.*$", self.output, re.MULTILINE)
        return [line.replace(".0% ", "% ") for line in lines]

    @property
    def tests(self) -> str:
        """How many tests ended how; warnings are told in other ways."""
        (last,) = re.findall(r"^(?:=+ )?(\d.*) in [\d.]+s", self.output, re.MULTILINE)
        return re.sub(r", \d+ warnings?", "", last)

    @property
    def figures(self) -> tuple[object, ...]:
        """All that two sessions that measured the same say alike."""
        return self.code, self.heading, self.table, self.written, self.required, self.tests


@dataclass(frozen=True)
class Both:
    """The two environments."""

    theirs: Sessions
    ours: Sessions

    def run(self, case: Case, folder: Path) -> tuple[Said, Said]:
        """Run a case in both at once; return what pytest-cov says, and what we say."""
        sides = {folder / "theirs": self.theirs, folder / "ours": self.ours}
        for place in sides:
            write_files(place, {**case.project, **case.files})
        for options in (case.options, *([] if case.then is None else [case.then])):
            for place, sessions in sides.items():
                sessions.ask(place, options.split())
            said = [sessions.answer(place) for place, sessions in sides.items()]
        return said[0], said[1]


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plain(text))


CONTEXTS = re.compile(
    r' *<script type="text/javascript">\n *contexts = .*?</script>\n|<input type="checkbox" id="ctxs\d+">'
    r'|<label for="ctxs\d+" class="ctx">.*?</label>|<span class="ctxs">.*?</span>',
    re.DOTALL,
)
"""What names the origins at each line of coverage.py's HTML: ours has it without being asked."""


def reports_in(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Read reports, without what differs from run to run: times, and where the project lies."""
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return {str(path.relative_to(folder)): _plain(path, folder) for path in found}


def _plain(path: Path, folder: Path) -> str:
    text = path.read_text("utf-8").replace(str(folder), "FOLDER")
    if path.suffix == ".json":
        report = json.loads(text)
        report.pop("vmpilot_cov", None)
        report["meta"].pop("timestamp")
        return json.dumps(report, indent=1)
    text = re.sub(r'timestamp="\d+"', "", text)  # XML
    text = CONTEXTS.sub("", text)
    return re.sub(r"created at .*", "", text)  # HTML

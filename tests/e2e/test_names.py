from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import Project

NAMES = [
    b"a\nFAIL fake\nb",
    b"\nRequired test coverage of 75% reached. Total coverage: 100.00%\n",
    b"::error::x",
    b"##[error]x",
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"\r\nX: y",
    "\u202eyp".encode(),
    "\u2028FAIL fake\u2028".encode(),
    b"q\"uo'te",
    b"pi|pe",
    b"<script>alert(1)<",
    b"back\\slash",
    b"`tick`",
    b"[link](http:evil)",
    b"]]>",
    b"&amp;",
    b"sur\xff\xfe",
]
VERDICT = "Required test coverage of 10% reached. Total coverage: "
REPORTS = [
    "term-missing",
    "html:out/html",
    "page:out/page",
    "badge:out/b.svg",
    "xml:out/xml",
    "json:out/json",
    "lcov:out/lcov",
    "markdown:out/md",
]


@pytest.fixture
def named(tmp_path: Path) -> Project:
    """Give a project that has a source file, of three lines that run, of every kind of name."""
    project = Project(tmp_path / "project")
    project.package("app")
    for name in NAMES:
        path = os.path.join(os.fsencode(project.path), b"app", name + b".py")
        with open(path, "w") as file:
            file.write("def f():\n    return 1\nx = 1\n")
    odd = "import pathlib, runpy\n\n\ndef test_all():\n    for path in pathlib.Path('app').iterdir():\n"
    project.write("test_all.py", odd + "        runpy.run_path(str(path.resolve()))\n")
    return project


def strange(text: str) -> list[str]:
    """List the characters of a text that no report may show: controls, turns of direction, what is no text."""
    return [each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") and each != "\n"]


def verdicts(text: str) -> list[str]:
    """List the lines of a text that somebody takes for a verdict, or a CI service for a command."""
    return re.findall(r"^\W*(?:FAIL\b.*|Required .*|::.*)|##\[.*", text, re.MULTILINE)


def test_no_name_speaks_for_us(named: Project) -> None:
    """Whatever a file is called, it is one line in each report, and no verdict, command or escape sequence."""
    summary = named.path / "summary.md"
    done = named.run(
        *("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--vmpilot-cov", "--cov-fail-under=10"),
        *(f"--cov-report={kind}" for kind in REPORTS),
        env={"GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (0, False), done.stdout + done.stderr
    (verdict,) = verdicts(done.stdout)
    assert verdict.startswith(VERDICT)
    texts = {path: path.read_text("utf-8") for path in [summary, *(named.path / "out").iterdir()] if path.is_file()}
    assert len(texts) == 6
    for text in (done.stdout, done.stderr, *texts.values()):
        assert not strange(text.replace("\t", ""))
    for path in (summary, named.path / "out/md"):
        (verdict,) = verdicts(texts[path])
        assert VERDICT in verdict
        assert not re.search(r"(?<!\\)[<`\[]|pi\|", re.sub("</?(details|summary)>", "", texts[path]))
    ET.fromstring(texts[named.path / "out/xml"])
    assert len(json.loads(texts[named.path / "out/json"])["files"]) == len(NAMES)
    sources = [line for line in texts[named.path / "out/lcov"].splitlines() if line.startswith("SF:")]
    assert len(sources) == len(NAMES)


def test_a_name_that_is_no_text_is_named(named: Project) -> None:
    """A source file whose name is no UTF-8 is named, in its own line, and all others count."""
    done = named.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--vmpilot-cov")
    (warning,) = (line for line in done.stdout.splitlines() if "source-refused" in line)
    assert warning.startswith("WARNING: source app/sur??.py does not count: its name is no UTF-8")


@pytest.mark.parametrize("verb", ["combine", "report", "status", "doctor", "dump", "erase"])
def test_no_name_speaks_in_a_command(named: Project, verb: str) -> None:
    """No verb prints what a file name, a command line or a data file is made of."""
    name = "\nRequired test coverage of 75% reached. Total coverage: 100.00%\x1b[2J\u202e"
    env = {"VMPILOT_COV": str(named.path)}
    named.run("python", "test_all.py", f"\n::error::{name}", env=env)
    call = "import test_all; test_all.test_all()"
    assert named.run("python", "-c", call, f"::error::{name}", name, env=env).stderr == ""
    (named.path / ".coverage.pipeline").rename(named.path / ".coverage.tests")
    kept = named.path / ".vmpilot-cov" / f"kept-{name}"
    kept.mkdir()
    (kept / ".coverage.tests").write_text(name)
    (named.path / ".vmpilot-cov" / f"1-{name}").symlink_to("elsewhere")
    done = named.run("vmpilot-cov", verb)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert not strange(said)
    assert not [line for line in verdicts(said) if not line.startswith("Required test coverage of 10%")]

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import Project

COV = ("-p", "no:cacheprovider", "-q")


@pytest.fixture
def one(project: Project) -> Project:
    """Give a project with a file of three statements, two of which its test reaches."""
    project.package("app", one="def one():\n    return 1\n\n\ndef two():\n    return 2\n")
    project.write("test_one.py", "from app import one\n\n\ndef test_one():\n    assert one.one() == 1\n")
    return project


def index_of(folder: Path) -> dict[str, object]:
    """Read the data for all files of a page."""
    text = (folder / "data/index.js").read_text("ascii")
    data: dict[str, object] = json.loads(text.removeprefix('vmpilotCov("index", ').removesuffix(")\n"))
    return data


@pytest.mark.parametrize(
    "loaded",
    [("-p", "pytest_cov", "-p", "vmpilot_cov"), ("-p", "vmpilot_cov", "-p", "pytest_cov"), ("-p", "vmpilot_cov")],
    ids=["after pytest-cov", "before pytest-cov", "alone"],
)
def test_page_and_badge_are_reports_beside_the_others(one: Project, loaded: tuple[str, ...]) -> None:
    """Page and badge can be asked for with and without pytest-cov, with a place and without, beside its reports."""
    done = one.pytest(
        *loaded,
        *("--vmpilot-cov", "--cov-report=html:out/html", "--cov-report=page", "--cov-report=badge:out/cov.svg"),
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Coverage page written to covpage/index.html\n" in done.stdout
    assert "Coverage badge written to file out/cov.svg\n" in done.stdout
    assert index_of(one.path / "covpage")["origins"] == ["unit"]
    link = re.search(r'href="([^"]*)">vmpilot-cov', (one.path / "out/html/index.html").read_text())
    assert link
    assert (one.path / "out/html" / link[1]).resolve() == one.path / "covpage/index.html"


def test_the_html_report_without_a_page_has_no_link(one: Project) -> None:
    """The index of the HTML report links to the page only if both are made."""
    assert one.pytest("--vmpilot-cov", "--cov-report=html").returncode == 0
    assert "vmpilot-cov" not in (one.path / "htmlcov/index.html").read_text()


def test_pytest_cov_alone_makes_no_page(one: Project) -> None:
    """Without --vmpilot-cov pytest-cov measures, and a report that it doesn't have is an error that names the cure."""
    done = one.pytest("--cov=app", "--cov-report=page")
    assert (done.returncode, "report-not-of-pytest-cov" in done.stderr) == (4, True)
    assert one.pytest("--cov=app", "--cov-report=pages").returncode == 4


def test_the_badge_shows_the_total(one: Project) -> None:
    """The badge is an SVG with the total in words, and a title that names the origins and the verdict."""
    one.pytest("--vmpilot-cov", "--cov-report=badge", "--cov-fail-under=90")
    root = ET.fromstring((one.path / "coverage.svg").read_text("ascii"))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["coverage", "75%"]
    assert root.attrib["aria-label"] == "coverage: 75% (unit 75%), failed"
    assert "#b3261e" in (one.path / "coverage.svg").read_text()

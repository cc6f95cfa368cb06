"""The XML report, as services read it that look for each file in the repository."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import Project

FOLDERS = ("booking", "utils", "libs/config")


@pytest.mark.parametrize("relative", ["true", "false"])
def test_files_of_the_same_name_are_told_apart(project: Project, relative: str) -> None:
    """With several sources coverage.xml has one root, below which each class names exactly one file."""
    sources = ", ".join(f'"{folder}/"' for folder in FOLDERS)
    project.write("pyproject.toml", f"[tool.coverage.run]\nsource = [{sources}]\nrelative_files = {relative}\n")
    files = sorted(f"{folder}/{name}" for folder in FOLDERS for name in ("__init__.py", "core.py", "sub/__init__.py"))
    for file in files:
        project.write(file, "VALUE = 1\nOTHER = 2\n")
    project.write("test_it.py", "from booking import core\n\ndef test_it():\n    assert core.VALUE\n")
    done = project.pytest("--vmpilot-cov", "--cov-report=xml", "-o", "pythonpath=.")
    assert done.returncode == 0, done.stdout
    report = ET.parse(project.path / "coverage.xml")
    names = [str(each.get("filename")) for each in report.iter("class")]
    (root,) = (each.text or "" for each in report.iter("source"))
    assert sorted(names) == files
    assert Path(project.path, root) == project.path
    assert len(list(report.iter("line"))) == int(report.getroot().get("lines-valid", 0)) == 18


def test_files_of_one_source_are_named_below_it(project: Project) -> None:
    """With one source coverage.xml is as pytest-cov writes it: the source is the root."""
    project.write(".coveragerc", "[run]\nsource = booking\n")
    project.write("booking/core.py", "VALUE = 1\n")
    project.write("test_it.py", "from booking import core\n\ndef test_it():\n    assert core.VALUE\n")
    project.pytest("--vmpilot-cov", "--cov-report=xml", "-o", "pythonpath=.")
    report = ET.parse(project.path / "coverage.xml")
    assert [each.get("filename") for each in report.iter("class")] == ["core.py"]
    assert [each.text for each in report.iter("source")] == [str(project.path / "booking")]

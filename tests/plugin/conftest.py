"""A small project whose lines say which origin reaches them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.conftest import Project, numbered

SHARED = """
    import json  # unit e2e


    def shared(number):  # unit e2e
        doubled = 2 * number  # unit e2e
        return doubled  # unit e2e


    def for_unit():  # unit e2e
        return shared(1)  # unit


    def for_e2e(flag):  # unit e2e
        if flag:  # e2e
            return shared(2)  # e2e
        return None  # nobody


    def for_child():  # unit e2e
        return json.dumps([])  # nobody


    def for_nobody():  # unit e2e
        return None  # nobody
"""

CHILD = """
    import sys  # unit e2e


    def work(origin):  # unit e2e
        if origin == "unit":  # unit e2e
            print("u")  # unit
        else:
            print("e")  # e2e


    work(sys.argv[1])  # unit e2e
"""

LAZY = "x = 1  # nobody\n"

EXPLICIT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Plugins are those that are named."""

CORES: Sequence[str] = ("ctrace", "sysmon") if sys.version_info >= (3, 12) else ("ctrace",)


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a package ``app``, unit and E2E tests in mixed order, and children of both."""
    project.write("conftest.py", "")
    project.package("app", shared=SHARED, child=CHILD, lazy=LAZY)
    project.write(
        "tests/test_mixed.py",
        """
        import subprocess, sys
        import pytest
        from app import shared

        def child(origin):
            return subprocess.check_output([sys.executable, "-m", "app.child", origin], text=True)

        def test_1_unit():
            assert shared.for_unit() == 2

        @pytest.mark.e2e
        def test_2_e2e():
            assert shared.for_e2e(True) == 4

        def test_3_unit_again():
            assert shared.for_unit() == 2 and child("unit") == "u\\n"

        @pytest.mark.e2e
        def test_4_e2e_again():
            assert shared.for_e2e(True) == 4 and child("e2e") == "e\\n"
        """,
    )
    return project


def expected(*marks: str) -> dict[str, list[int]]:
    """Return the lines that the given origins reach in ``app``, by file name."""
    return {"shared.py": numbered(SHARED, *marks), "child.py": numbered(CHILD, *marks)}


def run_beside(
    project: Project, plugin: str, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a session with ours and one other plugin, each warning an error, at its start and in its tests."""
    named = ("-p", plugin, "-p", "pytest_vmpilot_cov.plugin", "-p", "no:cacheprovider", "-W", "error")
    command = ("python", "-W", "error", "-m", "pytest", *named, "--vmpilot-cov", *options)
    return project.run(*command, env={**EXPLICIT, **(env or {})})


def without_inits(lines: dict[str, list[int]]) -> dict[str, list[int]]:
    """Leave out empty package files, whose one line differs between Pythons."""
    return {name: numbers for name, numbers in lines.items() if name != "__init__.py"}

"""Without ``--vmpilot-cov`` every session of the environment pays for the plugin: what that is."""

from __future__ import annotations

from tests.conftest import Project
from tests.plugin.conftest import EXPLICIT

LIST_MODULES = """
    import sys

    def pytest_sessionfinish():
        with open("modules.txt", "w") as file:
            file.write(" ".join(sys.modules))
"""


def modules_of(project: Project, *options: str) -> set[str]:
    """Run a session; return the modules that it has loaded at its end."""
    done = project.pytest(*options, env=EXPLICIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return set((project.path / "modules.txt").read_text().split())


def test_a_session_without_the_flag_loads_next_to_nothing(project: Project) -> None:
    """The plugin loads its hooks and its options; coverage.py and the recorder are left where they are."""
    project.write("conftest.py", LIST_MODULES)
    project.write("test_it.py", "def test_it():\n    pass\n")
    plain = modules_of(project)
    hooks_and_options = {
        "pytest_vmpilot_cov",
        "pytest_vmpilot_cov.plugin",
        "pytest_vmpilot_cov.hooks",
        "pytest_vmpilot_cov.hooks.hookspecs",
        "pytest_vmpilot_cov.options",
        "pytest_vmpilot_cov.options.flags",
        "pytest_vmpilot_cov.options.report_kinds",
        "pytest_vmpilot_cov.messages",
        "pytest_vmpilot_cov.stash",
    }
    beside_others = {
        "pytest_vmpilot_cov.integrations",
        "pytest_vmpilot_cov.integrations.pytest_cov",
        "pytest_vmpilot_cov.integrations.pytest_cov_fixtures",
        "pytest_vmpilot_cov.integrations.vscode",
    }
    to_look_for_scripts = {
        "server_hook",
        "server_hook.config",
        "server_hook.config.files",
        "server_hook.problems",
    }
    assert (
        modules_of(project, "-p", "pytest_vmpilot_cov.plugin") - plain
        == hooks_and_options | beside_others | to_look_for_scripts
    )


def test_scripts_are_tests_without_coverage(project: Project) -> None:
    """Shell scripts that the configuration names are run without the flag, and coverage.py is not loaded for them."""
    project.write("conftest.py", LIST_MODULES)
    project.write(".coveragerc", "[vmpilot_cov]\ne2e_scripts = *.sh\n")
    project.write("ran.sh", "true\n")
    loaded = modules_of(project, "-p", "pytest_vmpilot_cov.plugin")
    assert "pytest_vmpilot_cov.session.scripts" in loaded
    assert not {name for name in loaded if name.partition(".")[0] == "coverage"}
    assert "server_hook.record.recorder" not in loaded

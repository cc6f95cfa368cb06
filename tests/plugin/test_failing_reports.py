"""A report that cannot be made costs that report alone."""

from __future__ import annotations

from tests.conftest import Project

PLUGIN = """
    import coverage

    class Mute(coverage.CoveragePlugin):
        def file_tracer(self, filename):
            return Tracer(filename) if filename.endswith(".tmpl") else None

        def file_reporter(self, filename):
            return Reporter(filename)

    class Tracer(coverage.FileTracer):
        def __init__(self, filename):
            self._filename = filename

        def source_filename(self):
            return self._filename

    class Reporter(coverage.FileReporter):
        def lines(self):
            return {1, 2}

        def source(self):
            raise ValueError("this template\\nhas no text")

    def coverage_init(registry, options):
        registry.add_file_tracer(Mute())
"""


def test_a_report_that_fails_costs_itself_alone(project: Project) -> None:
    """Whatever a report raises is one line and exit code 1; the verdict and the other reports are as without it."""
    project.write(".coveragerc", "[run]\nsource = app\nplugins = mute\n[report]\nfail_under = 50\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("mute.py", PLUGIN)
    project.write(
        "app/__init__.py",
        """
        def render():
            exec(compile("x = 1", __file__.replace("__init__.py", "page.tmpl"), "exec"))
        """,
    )
    project.write("app/page.tmpl", "no text\n")
    project.write("test_app.py", "import app\n\ndef test_it():\n    app.render()\n")
    done = project.pytest("--vmpilot-cov", "--cov-report=html", "--cov-report=xml", "--cov-report=term")
    last = [line for line in done.stdout.splitlines() if "Required test coverage" in line or "(report-failed)" in line]
    assert last == [
        "Required test coverage of 50% reached. Total coverage: 75.00%",
        "FAIL the html report cannot be made: ValueError: this template has no text (report-failed)",
    ], done.stdout + done.stderr
    assert done.returncode == 1
    assert "TOTAL" in done.stdout
    assert "Coverage XML written" in done.stdout
    assert (project.path / ".coverage").exists()


def test_a_terminal_without_a_letter_shows_each_line_for_itself(app: Project) -> None:
    """What the encoding lacks is escaped in its own line alone: no line break of the section goes with it."""
    app.write("app/\u00fcber.py", "TOP = 1\n")
    app.write("app/zz.py", "TOP = 1\n")
    done = app.pytest("--vmpilot-cov", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in lines if line.endswith(" 0%")][-2:] == ["app/zz.py", "app/\\xfcber.py"]
    assert "\\n" not in done.stdout

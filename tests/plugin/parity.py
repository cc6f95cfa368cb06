"""The sets of options for which pytest-cov and we are to say the same, and the projects that they run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PROJECT = {
    "pytest.ini": "[pytest]\npythonpath = . src\n",
    "pkg/__init__.py": "",
    "pkg/logic.py": """
        import abc
        import typing


        def sign(number):
            if number > 0:
                return 1
            elif number < 0:
                return -1
            return 0


        def loop(numbers):
            total = 0
            for number in numbers:
                if number is None:
                    continue
                total += number
            else:
                total += 0
            return total


        def guarded():
            try:
                return sign(1)
            except ValueError:  # pragma: no cover
                return 0


        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self):
                raise NotImplementedError

            def __repr__(self):
                return "shape"


        if typing.TYPE_CHECKING:
            import json
    """,
    "pkg/full.py": "def one():\n    return 1\n",
    "pkg/unused.py": "def nobody():\n    return None\n",
    "pkg/sub/__init__.py": "VALUE = 1\n",
    "pkg/sub/generated.py": "def f(x):\n    if x:\n        return 1\n    return 2\n",
    "tests/test_logic.py": """
        from pkg import full, logic
        from pkg.sub import generated

        def test_sign():
            assert logic.sign(3) == 1
            assert generated.f(1) == 1

        def test_loop():
            assert logic.loop([1, 2]) == 3
            assert logic.guarded() == 1

        def test_full():
            assert full.one() == 1
    """,
    "tests/test_more.py": """
        from pkg import logic

        def test_negative():
            assert logic.sign(-3) == -1
    """,
}
FAILING = {"tests/test_a_failing.py": "from pkg import logic\n\ndef test_fails():\n    assert logic.sign(0) == 1\n"}
SRC = {name.replace("pkg/", "src/shop/"): text.replace("pkg", "shop") for name, text in PROJECT.items()}


def rounded(percent_of_ten: int) -> dict[str, str]:
    """Make a project of which exactly so many of 1000 statements are reached."""
    missed = "".join(f"    x = {number}\n" for number in range(1000 - percent_of_ten))
    reached = "".join(f"y = {number}\n" for number in range(percent_of_ten - 1))
    return {
        "pytest.ini": "[pytest]\npythonpath = .\n",
        "pkg.py": f"def never():\n{missed}{reached}",
        "test_it.py": "import pkg\n\ndef test_it():\n    assert pkg\n",
    }


RENDERED = {
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "pkg/__init__.py": """
        import pathlib

        def render(name):
            path = pathlib.Path(__file__).with_name("pages") / name
            exec(compile("x = 1\\nif x:\\n    y = 2\\n", str(path), "exec"))  # as Jinja2 and Mako do
            return path.suffix == ".html"
    """,
    "pkg/pages/page.html": "<p>{{ x }}</p>\n{% if x %}\n{% endif %}\n",
    "pkg/pages/letter": "Dear {{ x }},\n",
    "pkg/pages/model.py": "class {{ x }}:\n    pass\n",
    "pkg/pages/book.ipynb": '{"cells": []}\n',
    "test_it.py": """
        import pytest
        import pkg

        @pytest.mark.parametrize("name", ["page.html", "letter", "model.py", "book.ipynb"])
        def test_it(name):
            assert pkg.render(name) == (name == "page.html")
    """,
}
"""A project that runs code under the names of files that are no Python source."""

TEMPLATES = {
    "pytest.ini": "[pytest]\npythonpath = .\n",
    "templates_plugin.py": """
        import pathlib

        import coverage


        class Templates(coverage.CoveragePlugin):
            def file_tracer(self, filename):
                return Tracer(filename) if filename.endswith(".tmpl") else None

            def file_reporter(self, filename):
                return Reporter(filename)

            def find_executable_files(self, src_dir):
                yield from map(str, pathlib.Path(src_dir).rglob("*.tmpl"))


        class Tracer(coverage.FileTracer):
            def __init__(self, filename):
                self._filename = filename

            def source_filename(self):
                return self._filename


        class Reporter(coverage.FileReporter):
            def lines(self):
                return set(range(1, 1 + len(pathlib.Path(self.filename).read_text().splitlines())))


        def coverage_init(registry, options):
            registry.add_file_tracer(Templates())
    """,
    "pkg/__init__.py": """
        import pathlib

        def render(name):
            path = pathlib.Path(__file__).with_name(name)
            exec(compile("x = 1\\nif not x:\\n    x = 2\\n", str(path), "exec"))
            return path.suffix == ".tmpl"
    """,
    "pkg/page.tmpl": "one\ntwo\nthree\n",
    "pkg/never.tmpl": "one\ntwo\nthree\n",
    "pkg/omitted.tmpl": "one\n",
    "test_it.py": "import pkg\n\ndef test_it():\n    assert pkg.render('page.tmpl')\n",
}
"""A project with files that only a coverage plugin knows; one of them is never rendered."""


@dataclass(frozen=True)
class Case:
    """One or several sessions in a row in one project."""

    name: str
    options: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Files beside those of the project, or in place of them."""
    project: Mapping[str, str] = field(default_factory=lambda: PROJECT)
    reports: tuple[str, ...] = ()
    """Patterns of the reports that must be alike."""
    then: str | None = None
    """The options of a second session in the same folder."""

    def __str__(self) -> str:
        """Name the test."""
        return self.name


def rc(text: str, name: str = ".coveragerc") -> dict[str, str]:
    """Make a configuration."""
    return {name: text}


REPORTS = (
    Case("the default", "--cov=pkg"),
    Case("branches", "--cov=pkg --cov-branch"),
    Case("term", "--cov=pkg --cov-report=term"),
    Case("term-missing", "--cov=pkg --cov-report=term-missing"),
    Case("term-missing with branches", "--cov=pkg --cov-report=term-missing --cov-branch"),
    Case("skip-covered", "--cov=pkg --cov-report=term:skip-covered"),
    Case("term-missing:skip-covered", "--cov=pkg --cov-branch --cov-report=term-missing:skip-covered"),
    Case("both tables", "--cov=pkg --cov-report=term:skip-covered --cov-report=term-missing"),
    Case(
        "files",
        "--cov=pkg --cov-report=annotate --cov-report=xml --cov-report=json --cov-report=lcov --cov-report=html",
        reports=("pkg/**/*,cover", "coverage.xml", "coverage.json", "coverage.lcov", "htmlcov/*.html"),
    ),
    Case(
        "files elsewhere, with branches",
        "--cov=pkg --cov-branch --cov-report=annotate:out --cov-report=xml:out/cov.xml --cov-report=json:out/cov.json "
        "--cov-report=lcov:out/cov.info --cov-report=html:out/html --cov-report=term-missing",
        reports=("out/**/*,cover", "out/cov.*", "out/html/*.html"),
    ),
    Case("markdown", "--cov=pkg --cov-report=markdown"),
    Case("markdown-append", "--cov=pkg --cov-report=markdown-append:all.md --cov-report=markdown"),
    Case("none", "--cov=pkg --cov-report="),
    Case("none, and a threshold", "--cov=pkg --cov-report= --cov-fail-under=70"),
    Case("none but xml", "--cov=pkg --cov-report= --cov-report=xml", reports=("coverage.xml",)),
)

SOURCES = (
    Case("a folder", "--cov=./pkg"),
    Case("a folder in it", "--cov=pkg/sub"),
    Case("everything below", "--cov=. --cov-report=term-missing"),
    Case("two", "--cov=pkg --cov=tests"),
    Case("a package in it", "--cov=pkg.sub"),
    Case("a module", "--cov=pkg.logic"),
    Case("bare, and a configured one", "--cov", rc("[run]\nsource = pkg\n")),
    Case("bare beside another", "--cov=tests --cov", rc("[run]\nsource = pkg\n")),
    Case("in place of the configured one", "--cov=tests", rc("[run]\nsource = pkg\n")),
    Case("reset", "--cov=tests --cov-reset --cov=pkg"),
    Case("src by name", "--cov=shop", project=SRC),
    Case("src by folder", "--cov=src --cov-report=term-missing", project=SRC),
    Case("src by path", "--cov=src/shop/sub --cov-branch", project=SRC),
    Case("in addopts", "-q", rc("[pytest]\naddopts = --cov=pkg --cov-branch\npythonpath = .\n", "pytest.ini")),
    Case(
        "in setup.cfg",
        "",
        rc("[tool:pytest]\naddopts = --cov=pkg --cov-report=term-missing\npythonpath = .\n", "setup.cfg"),
        project={name: text for name, text in PROJECT.items() if name != "pytest.ini"},
    ),
)

CONFIGURATIONS = (
    Case("branch", "--cov", rc("[run]\nsource = pkg\nbranch = true\n")),
    Case("no branch", "--cov --cov-branch", rc("[run]\nsource = pkg\nbranch = false\n")),
    Case("pyproject.toml", "--cov", rc('[tool.coverage.run]\nsource = ["pkg"]\nbranch = true\n', "pyproject.toml")),
    Case("setup.cfg", "--cov", rc("[coverage:run]\nsource = pkg\nomit = */generated.py\n", "setup.cfg")),
    Case("tox.ini", "--cov", rc("[coverage:run]\nsource = pkg\n[coverage:report]\nskip_covered = true\n", "tox.ini")),
    Case("another file", "--cov --cov-config=other.rc", rc("[run]\nsource = pkg\nbranch = true\n", "other.rc")),
    Case("omit", "--cov=pkg --cov-report=term-missing", rc("[run]\nomit = pkg/sub/*\n")),
    Case("omit in the report", "--cov=pkg", rc("[report]\nomit = */unused.py\n")),
    Case("include in the report", "--cov=pkg", rc("[report]\ninclude = pkg/logic.py\n")),
    Case("include", "--cov", rc("[run]\ninclude = pkg/*\n")),
    Case("source_pkgs", "--cov", rc("[run]\nsource_pkgs = pkg.sub\n")),
    Case(
        "exclude_also",
        "--cov=pkg --cov-branch --cov-report=term-missing",
        rc("[report]\nexclude_also =\n    if typing.TYPE_CHECKING:\n    @abc.abstractmethod\n    def __repr__\n"),
    ),
    Case("exclude_lines", "--cov=pkg --cov-report=term-missing", rc("[report]\nexclude_lines = def __repr__\n")),
    Case("skip_covered", "--cov=pkg", rc("[report]\nskip_covered = true\n")),
    Case("show_missing", "--cov=pkg", rc("[report]\nshow_missing = true\n")),
    Case("skip_empty and sort", "--cov=pkg", rc("[report]\nskip_empty = true\nsort = -Cover\n")),
    Case("precision", "--cov=pkg --cov-fail-under=70", rc("[report]\nprecision = 2\n")),
    Case("precision typed", "--cov=pkg --cov-precision=3", rc("[report]\nprecision = 2\n")),
    Case("relative_files", "--cov=pkg --cov-report=xml", rc("[run]\nrelative_files = true\n"), reports=("*.xml",)),
    Case(
        "a package that lies elsewhere than its name says",
        "--cov=shop --cov-report=xml",
        project=SRC,
        reports=("coverage.xml",),
    ),
    Case(
        "relative_files of such a package",
        "--cov=shop --cov-report=xml",
        rc("[run]\nrelative_files = true\n"),
        project=SRC,
        reports=("coverage.xml",),
    ),
    Case(
        "source_pkgs in reports",
        "--cov --cov-report=xml",
        rc("[run]\nsource_pkgs = shop\n"),
        project=SRC,
        reports=("coverage.xml",),
    ),
    Case(
        "outputs", "--cov=pkg --cov-report=xml --cov-report=html", rc("[xml]\noutput = a.xml\n[html]\ndirectory = h\n")
    ),
    Case("contexts", "--cov=pkg --cov-context=test"),
)

THRESHOLDS = (
    Case("reached", "--cov=pkg --cov-fail-under=60"),
    Case("missed", "--cov=pkg --cov-fail-under=90"),
    Case("zero", "--cov=pkg --cov-fail-under=0"),
    Case("configured", "--cov=pkg", rc("[report]\nfail_under = 60\n")),
    Case("configured and missed", "--cov=pkg", rc("[report]\nfail_under = 90.5\n")),
    Case("typed goes before configured", "--cov=pkg --cov-fail-under=60", rc("[report]\nfail_under = 90\n")),
    Case("74.5 is not 75", "--cov=pkg --cov-fail-under=75", project=rounded(745)),
    Case("74.5 is 74.5", "--cov=pkg --cov-fail-under=74.5", project=rounded(745)),
    Case("74.5 is not 74.51", "--cov=pkg --cov-fail-under=74.51 --cov-precision=2", project=rounded(745)),
    Case("99.9 is not 100", "--cov=pkg --cov-fail-under=100", project=rounded(999)),
    Case("100", "--cov=pkg/full.py --cov=pkg.full --cov-fail-under=100"),
)

SESSIONS = (
    Case("a test fails", "--cov=pkg --cov-fail-under=60", FAILING),
    Case("a test fails without reports", "--cov=pkg --no-cov-on-fail --cov-fail-under=99", FAILING),
    Case("no test fails", "--cov=pkg --no-cov-on-fail --cov-fail-under=60"),
    Case("a selection", "--cov=pkg -k negative"),
    Case("an empty selection", "--cov=pkg -k nothing"),
    Case("off", "--cov=pkg --cov-fail-under=99 --no-cov"),
    Case("off, contradicted", "--no-cov --cov=pkg"),
    Case("workers", "--cov=pkg --cov-branch --cov-report=term-missing -n 2"),
    Case("append", "--cov=pkg tests/test_logic.py", then="--cov=pkg --cov-append tests/test_more.py"),
    Case("append branches", "--cov=pkg --cov-branch -k negative", then="--cov=pkg --cov-branch --cov-append -k loop"),
    Case("without append", "--cov=pkg tests/test_logic.py", then="--cov=pkg tests/test_more.py"),
    Case(
        "no_cover and cov",
        "--cov=pkg --cov-branch --cov-context=test --cov-report=term-missing",
        {
            "tests/test_left_out.py": """
                import pytest
                from pkg import logic

                @pytest.mark.no_cover
                def test_marked():
                    assert logic.sign(0) == 0

                def test_fixture(no_cover):
                    assert repr(type("Square", (logic.Shape,), {"area": 1})()) == "shape"

                def test_counts(cov):
                    assert cov.get_option("run:branch") is True
                    assert logic.loop([None]) == 0
            """
        },
    ),
)

NOT_PYTHON = tuple(
    Case(
        f"not Python, {kind}, {branch or 'lines'}",
        f"--cov=pkg {branch} --cov-report=term-missing --cov-report={kind}",
        project=RENDERED,
        reports=tuple(reports),
    )
    for kind, *reports in (
        ("html", "htmlcov/*.html"),
        ("xml", "coverage.xml"),
        ("json", "coverage.json"),
        ("lcov", "coverage.lcov"),
        ("annotate", "pkg/*,cover", "pkg/**/*,cover"),
        ("markdown",),  # ours begins with the origins
    )
    for branch in ("", "--cov-branch")
)

BY_A_PLUGIN = tuple(
    Case(
        f"files of a plugin, {branch or 'lines'}",
        f"--cov=pkg {branch} --cov-report=term-missing --cov-report=json --cov-report=html --cov-report=xml",
        rc("[run]\nplugins = templates_plugin\nomit = */omitted.tmpl\n"),
        project=TEMPLATES,
        reports=("coverage.json", "coverage.xml", "htmlcov/*.html"),
    )
    for branch in ("", "--cov-branch")
)

ZIPPED = tuple(
    Case(
        f"a member of a zip file, {branch or 'lines'}",
        f"--cov=pkg {branch} --cov-report=term-missing --cov-report=xml --cov-report=json --cov-report=html",
        project={
            "pytest.ini": "[pytest]\npythonpath = .\n",
            "pkg/__init__.py": """
                import sys

                def load(path, name):
                    sys.path.insert(0, path)
                    return __import__(name)
            """,
            "test_it.py": """
                import zipfile

                import pkg

                with zipfile.ZipFile("pkg/extra.zip", "w") as file:
                    file.writestr("zipped.py", "def z(a):\\n    if a:\\n        return 1\\n    return 2\\n")

                def test_it():
                    assert pkg.load("pkg/extra.zip", "zipped").z(0) == 2
            """,
        },
        reports=("coverage.xml", "coverage.json", "htmlcov/*.html"),
    )
    for branch in ("", "--cov-branch")
)

ALL = (*REPORTS, *SOURCES, *CONFIGURATIONS, *THRESHOLDS, *SESSIONS)

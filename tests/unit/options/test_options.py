from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pytest_vmpilot_cov.integrations.pytest_cov import is_here, without_effect
from pytest_vmpilot_cov.messages import UsageError
from pytest_vmpilot_cov.model import ReportRequest
from pytest_vmpilot_cov.options.flags import SHARED_OPTIONS, parse_context, parse_fail_under
from pytest_vmpilot_cov.options.options import listed, parse_require, typed_source
from pytest_vmpilot_cov.options.report_kinds import StoreReport, parse_report, report_requests
from pytest_vmpilot_cov.options.thresholds import percentage

KNOWN_REPORTS = "term, term-missing, annotate, html, page, xml, json, markdown, markdown-append, lcov, badge"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("term", ("term", None)),
        ("term-missing", ("term-missing", None)),
        ("term:skip-covered", ("term", "skip-covered")),
        ("term-missing:skip-covered", ("term-missing", "skip-covered")),
        ("html", ("html", None)),
        ("html:out/html", ("html", "out/html")),
        ("xml:C:/cov.xml", ("xml", "C:/cov.xml")),
        ("json:cov.json", ("json", "cov.json")),
        ("lcov", ("lcov", None)),
        ("annotate", ("annotate", None)),
        ("annotate:out", ("annotate", "out")),
        ("markdown:cov.md", ("markdown", "cov.md")),
        ("markdown-append", ("markdown-append", None)),
        ("", ("", None)),
    ],
)
def test_a_report_is_a_kind_and_a_destination(text: str, expected: tuple[str, str | None]) -> None:
    """A report is its kind and what follows the first colon; an empty one asks for no report."""
    assert expected == parse_report(text)


@pytest.mark.parametrize(
    "text", ["annotated", "HTML", "term:cov.txt", "term-missing:skip_covered", ":cov.xml", " term"]
)
def test_an_unknown_report_is_refused(text: str) -> None:
    """What is no report is refused with all that are, and its slug."""
    expected = f"--cov-report={text} is not a report; use {KNOWN_REPORTS}, file kinds with :DEST (report-unknown)"
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_report(text)
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [ReportRequest("term")]),
        ([""], []),
        (["", "xml"], [ReportRequest("xml")]),
        (["term"], [ReportRequest("term")]),
        (["term-missing:skip-covered"], [ReportRequest("term-missing", skip_covered=True)]),
        (["term:skip-covered", "term-missing"], [ReportRequest("term-missing", skip_covered=True)]),
        (["html:out", "term"], [ReportRequest("term"), ReportRequest("html", "out")]),
        (["html:skip-covered"], [ReportRequest("html", "skip-covered")]),
        (["annotate"], [ReportRequest("annotate")]),
        (["page", "badge"], [ReportRequest("page", "covpage"), ReportRequest("badge", "coverage.svg")]),
        (["page:out", "badge:a.svg"], [ReportRequest("page", "out"), ReportRequest("badge", "a.svg")]),
        (["markdown"], [ReportRequest("markdown", "coverage.md")]),
        (["markdown-append:all.md"], [ReportRequest("markdown-append", "all.md")]),
    ],
)
def test_what_was_asked_for_comes_to_reports(words: list[str], expected: list[ReportRequest]) -> None:
    """Without a word it is one table, with an empty one nothing; all words on the table make one table, the first."""
    assert tuple(expected) == report_requests([parse_report(word) for word in words])


def report_parser() -> argparse.ArgumentParser:
    """Make a parser that knows the one option."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--cov-report", action=StoreReport, default={}, type=parse_report)
    return parser


def test_reports_are_collected_by_kind() -> None:
    """Several reports are kept in their order, and the last destination of a kind counts."""
    words = ["--cov-report=xml:one.xml", "--cov-report=term", "--cov-report=xml:two.xml"]
    expected = [("xml", "two.xml"), ("term", None)]
    assert expected == list(report_parser().parse_args(words).cov_report.items())
    assert not report_parser().parse_args([]).cov_report


@pytest.mark.parametrize(
    "words",
    [
        ("markdown", "markdown-append"),
        ("markdown-append", "markdown:coverage.md"),
        ("markdown:a.md", "markdown-append:a.md"),
    ],
)
def test_two_markdown_reports_need_two_files(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A file that would be written and appended to at once is refused."""
    with pytest.raises(SystemExit):
        report_parser().parse_args([f"--cov-report={word}" for word in words])
    assert "(report-same-file)" in capsys.readouterr().err
    report_parser().parse_args(["--cov-report=markdown:a.md", "--cov-report=markdown-append"])


def test_the_only_context_is_test() -> None:
    """A context other than ``test`` is refused."""
    expected = "--cov-context=tests is not a context; use test (context-unknown)"
    assert parse_context("test") == "test"
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_context("tests")
    assert expected == str(caught.value)


def parse_shared(words: Sequence[str]) -> argparse.Namespace:
    """Parse what pytest would where pytest-cov is not there."""
    parser = argparse.ArgumentParser()
    for dest, flag, more in SHARED_OPTIONS:
        parser.add_argument(flag, dest=dest, **more)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["--cov"], [True]),
        (["--cov=a", "--cov=b"], ["a", "b"]),
        (["--cov="], [""]),
        (["--cov=a", "--cov"], ["a", True]),
        (["--cov=a", "--cov-reset", "--cov=b"], ["b"]),
        (["--cov=a", "--cov-reset"], []),
    ],
)
def test_sources_are_collected_until_they_are_reset(words: list[str], expected: list[object]) -> None:
    """Each ``--cov`` adds a source, a bare one stands for the configured, and ``--cov-reset`` forgets those so far."""
    assert expected == parse_shared(words).cov_source
    assert not parse_shared([]).cov_source


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["--cov"], ["--cov"]),
        (["--cov=a", "--cov-reset"], []),
        (["--cov=", "--cov-fail-under=0"], ["--cov", "--cov-fail-under"]),
        (["--cov-report=", "--cov-branch", "--cov-context=test"], ["--cov-report", "--cov-branch", "--cov-context"]),
        (["--cov=a", "--no-cov"], []),
        (["--no-cov-on-fail", "--cov-append"], ["--no-cov-on-fail", "--cov-append"]),
    ],
)
def test_options_without_effect_are_known(words: list[str], expected: list[str]) -> None:
    """Where nothing measures, each option that was given is named; ``--no-cov`` has what it asks for."""
    assert expected == without_effect(parse_shared(words))


@pytest.mark.parametrize("name", ["pytest_cov", "pytest_cov.plugin", "other"])
def test_pytest_cov_is_known_by_what_it_does(name: str) -> None:
    """pytest-cov is loaded under whatever name it is registered; an empty module of its name is not pytest-cov."""
    manager = pytest.PytestPluginManager()
    manager.register(ModuleType("pytest_cov.plugin"), "pytest_cov.empty")
    assert not is_here(manager)
    manager.register(import_module("pytest_cov.plugin"), name)
    assert is_here(manager)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("src", "src"), ("", ""), ("package", "package"), ("inner", "{}/tests/inner"), ("../src", "{}/src")],
)
def test_a_source_is_seen_from_the_configuration_first(tmp_path: Path, name: str, expected: str) -> None:
    """What is no folder there is one seen from where pytest was started, or else the name of a package."""
    for folder in ("src", "tests/inner"):
        (tmp_path / folder).mkdir(parents=True)
    assert expected.format(tmp_path) == typed_source(name, str(tmp_path), tmp_path / "tests")


@pytest.mark.parametrize(
    ("text", "expected"), [("75", 75.0), ("0", 0.0), ("100", 100.0), ("74.5", 74.5), (" 75 ", 75.0), ("1e1", 10.0)]
)
def test_a_threshold_is_a_percentage(text: str, expected: float) -> None:
    """A threshold is any number from 0 to 100."""
    assert expected == parse_fail_under(text)


BAD_PERCENTAGES = ["", "75%", "75,5", "many", "-1", "100.1", "175", "nan", "inf", "0x10", "None"]


@pytest.mark.parametrize("text", BAD_PERCENTAGES)
def test_a_typed_threshold_that_is_no_percentage_is_refused(text: str) -> None:
    """What is no number from 0 to 100 is refused with the range and its slug."""
    expected = f"fail_under={text} (from the command line) is not a percentage; use 0 to 100 (fail-under-range)"
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_fail_under(text)
    assert expected == str(caught.value)


@pytest.mark.parametrize("value", [*BAD_PERCENTAGES, None, [75], 175, -0.5, float("nan")])
def test_a_threshold_that_is_no_percentage_says_where_it_stands(value: object) -> None:
    """A threshold of any kind that is no percentage is refused with the place where it was set."""
    expected = f"fail_under={value} (from .coveragerc) is not a percentage; use 0 to 100 (fail-under-range)"
    with pytest.raises(UsageError) as caught:
        percentage(value, ".coveragerc")
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], set()),
        (["pipeline"], {"pipeline"}),
        (["unit,e2e"], {"unit", "e2e"}),
        (["unit , e2e,", "pipeline"], {"unit", "e2e", "pipeline"}),
        (["unit", "unit"], {"unit"}),
        ([" , "], set()),
    ],
)
def test_required_origins_are_listed_by_commas(values: Sequence[str], expected: set[str]) -> None:
    """Required origins may be given several times, and several with commas."""
    assert expected == parse_require(values, "--vmpilot-cov-require")


@pytest.mark.parametrize("name", ["server", "Unit", "unit e2e", "e2e;unit"])
def test_an_unknown_origin_is_refused(name: str) -> None:
    """What is no origin is refused with all that are, the place, and its slug."""
    expected = (
        f"{name!r} (from --require) is not an origin; use unit, e2e or pipeline, several with commas (origin-unknown)"
    )
    with pytest.raises(UsageError) as caught:
        parse_require(["unit", name], "--require")
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b", ["a", "b"]),
        ("\na\n  b, c\n\n", ["a", "b", "c"]),
        (",,", []),
        ("a folder/x", ["a folder/x"]),
    ],
)
def test_a_setting_that_is_a_list_is_split_by_lines_and_commas(text: str, expected: list[str]) -> None:
    """Items of a list stand in lines of their own or are parted by commas; blanks inside belong to the item."""
    assert expected == listed(text)

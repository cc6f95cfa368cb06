from __future__ import annotations

import argparse
from collections.abc import Sequence

import pytest

from pytest_vmpilot_cov.arguments import StoreReport, parse_fail_under, parse_report
from pytest_vmpilot_cov.model import ReportRequest
from pytest_vmpilot_cov.options import OptionError, listed, parse_require, percentage, report_request

KNOWN_REPORTS = "term, term-missing, html, xml, json, lcov, markdown"


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
        ("markdown:cov.md", ("markdown", "cov.md")),
        ("", ("", None)),
    ],
)
def test_a_report_is_a_kind_and_a_destination(text: str, expected: tuple[str, str | None]) -> None:
    """A report is its kind and what follows the first colon; an empty one asks for no report."""
    assert expected == parse_report(text)


@pytest.mark.parametrize("text", ["annotate", "HTML", "term:cov.txt", "term-missing:skip_covered", ":cov.xml", " term"])
def test_an_unknown_report_is_refused(text: str) -> None:
    """What is no report is refused with all that are, and its slug."""
    expected = f"--cov-report={text} is not a report; use {KNOWN_REPORTS}, file kinds with :DEST (report-unknown)"
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_report(text)
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("kind", "dest", "expected"),
    [
        ("term", None, ReportRequest("term")),
        ("term-missing", "skip-covered", ReportRequest("term-missing", skip_covered=True)),
        ("html", None, ReportRequest("html")),
        ("html", "out", ReportRequest("html", "out")),
        ("html", "skip-covered", ReportRequest("html", "skip-covered")),
    ],
)
def test_a_parsed_report_becomes_a_request(kind: str, dest: str | None, expected: ReportRequest) -> None:
    """Only reports in the terminal know skip-covered; to the others it is a destination."""
    assert expected == report_request(kind, dest)


def test_reports_are_collected_by_kind() -> None:
    """Several reports are kept in their order, and the last destination of a kind counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cov-report", action=StoreReport, default={}, type=parse_report)
    words = ["--cov-report=xml:one.xml", "--cov-report=term", "--cov-report=xml:two.xml"]
    expected = [("xml", "two.xml"), ("term", None)]
    assert expected == list(parser.parse_args(words).cov_report.items())
    assert not parser.parse_args([]).cov_report


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
    with pytest.raises(OptionError) as caught:
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
        f"{name!r} (from --require) is no origin; use unit, e2e or pipeline, several with commas (origin-unknown)"
    )
    with pytest.raises(OptionError) as caught:
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

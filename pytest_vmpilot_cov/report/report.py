"""The requested reports: coverage.py's own, with the origins beside them."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coverage.exceptions import CoverageException, NoDataError

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Check, Options, ReportRequest
from pytest_vmpilot_cov.report.words import count
from server_hook.problems import one_line

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Outcome


_NOT_IN_XML = dict.fromkeys({*range(32)} - {*b"\t\n\r"}, "?")
"""Characters that no XML may hold; coverage.py writes them where a file's name has them."""


LARGE_HTML_BYTES = 100_000_000


def make_reports(cov: ReportingCoverage, options: Options, outcome: Outcome) -> Outcome:
    """Make every requested report.

    Returns:
        the outcome with the blocks of text to print, and a failed check for each report that could not be made.
    """
    text: list[str] = []
    failed: list[Check] = []
    for request in options.reports:
        try:
            text.append(_MAKERS[request.kind](cov, request, options, outcome))
        except NoDataError:
            pass  # the verdict says that nothing was measured
        except Exception as error:  # noqa: BLE001 - no report may take the verdict or another report with it
            if not outcome.figures.problem:  # else the verdict has the same reason
                failed.append(_failed(request, error))
    verdict = replace(outcome.verdict, checks=(*outcome.verdict.checks, *failed))
    # warnings last: coverage.py collects them while it reports
    return replace(outcome, verdict=verdict, text=tuple(text), problems=(*outcome.problems, *cov.warnings()))


def _failed(request: ReportRequest, error: Exception) -> Check:
    # errors of coverage.py and the system explain themselves; others say little without their type
    kind = "" if isinstance(error, (CoverageException, OSError)) else f"{type(error).__name__}: "
    report = f"{request.kind} report {request.dest}".rstrip()
    text = say("report-failed", report=report, why=kind + one_line(error))
    return Check(f"{request.kind} report", passed=False, text=f"FAIL {text}")


def _terminal(cov: ReportingCoverage, request: ReportRequest, _options: Options, _outcome: Outcome) -> str:
    table = io.StringIO()
    # None, not False: the configuration may ask for either, too
    cov.report(
        show_missing=request.kind == "term-missing" or None,
        skip_covered=request.skip_covered or None,
        file=table,
    )
    return table.getvalue().rstrip("\n")


def _html(cov: ReportingCoverage, request: ReportRequest, options: Options, outcome: Outcome) -> str:
    folder = request.dest or str(cov.get_option("html:directory"))
    cov.html_report(directory=folder)
    for page in (each.dest for each in options.reports if each.kind == "page"):
        _link_to_page(Path(folder, "index.html"), page)
    return f"Coverage HTML written to dir {folder}{_if_large(folder, outcome)}"


def _if_large(folder: str, outcome: Outcome) -> str:
    """Say how large pages with the names of tests are, if that is more than a browser shows with ease."""
    size = sum(path.stat().st_size for path in Path(folder).glob("*.html"))
    tests = [files for label, files in outcome.combined.counted.items() if label.context]
    if not tests or size <= LARGE_HTML_BYTES:
        return ""
    files = count(round(sum(map(len, tests)) / len(tests)), "file", "files")
    sizes = f"{len(tests):,} contexts x {files}: pages of {size / 1e6:,.0f} MB"
    return f" ({sizes}; [report] contexts narrows them)"


def _link_to_page(index: Path, page: str) -> None:
    """Put a link to the page into the index of coverage.py's HTML report, where that has its headings."""
    from urllib.parse import quote

    target = quote(os.fsencode(os.path.relpath(os.path.join(page, "index.html"), index.parent)))
    link = f'<p class="text"><a class="nav" href="{target}">vmpilot-cov: which origins reached what</a></p>\n'
    # the last part of its head; in a coverage.py that draws it otherwise there is no link
    head, end, rest = index.read_text("utf-8").partition("</header>")
    if end:
        before, inner_end, after = head.rpartition("</div>")
        index.write_text(f"{before}{link}{inner_end}{after}{end}{rest}", encoding="utf-8")


def _page(cov: ReportingCoverage, request: ReportRequest, options: Options, outcome: Outcome) -> str:
    from pytest_vmpilot_cov.report.page.page import write_page  # with what it needs of the store, for this kind alone

    write_page(cov, options, outcome, Path(request.dest))
    return f"Coverage page written to {request.dest}/index.html"


def _annotate(cov: ReportingCoverage, request: ReportRequest, _options: Options, _outcome: Outcome) -> str:
    cov.annotate(directory=request.dest or None)
    return f"Coverage annotated source written {f'to dir {request.dest}' if request.dest else 'next to source'}"


def _xml(cov: ReportingCoverage, request: ReportRequest, options: Options, _outcome: Outcome) -> str:
    path = _destination(cov, request)
    cov.xml_report(outfile=path)
    if options.settings.relative_files:  # coverage.py would name the sources so, if it had measured here alone
        from xml.sax.saxutils import escape  # it brings half of the network's modules with it

        text = Path(path).read_text("utf-8")
        root = re.escape(escape(str(options.root)))
        # of a folder below the root the rest stays; of the root itself nothing does
        Path(path).write_text(re.sub(f"<source>{root}(/|(?=<))", "<source>", text), encoding="utf-8")
    text = Path(path).read_text("utf-8")
    if (fit := text.translate(_NOT_IN_XML)) != text:
        Path(path).write_text(fit, encoding="utf-8")
    return f"Coverage XML written to file {path}"


def _lcov(cov: ReportingCoverage, request: ReportRequest, _options: Options, _outcome: Outcome) -> str:
    path = _destination(cov, request)
    cov.lcov_report(outfile=path)
    return f"Coverage LCOV written to file {path}"


def _json(cov: ReportingCoverage, request: ReportRequest, options: Options, outcome: Outcome) -> str:
    from pytest_vmpilot_cov.report.json import add_origins  # like the other kinds below, only for who asks for it

    path = _destination(cov, request)
    cov.json_report(outfile=path)
    add_origins(Path(path), options, outcome)
    return f"Coverage JSON written to file {path}"


def _markdown(cov: ReportingCoverage, request: ReportRequest, options: Options, outcome: Outcome) -> str:
    from pytest_vmpilot_cov.report.markdown import markdown_report

    appends = request.kind == "markdown-append"
    with Path(request.dest).open("a" if appends else "w", encoding="utf-8") as file:
        file.write(markdown_report(cov, options, outcome))
    return f"Coverage Markdown information {'appended' if appends else 'written'} to file {request.dest}"


def _badge(_cov: ReportingCoverage, request: ReportRequest, options: Options, outcome: Outcome) -> str:
    from pytest_vmpilot_cov.report.badge import badge

    Path(request.dest).parent.mkdir(parents=True, exist_ok=True)
    Path(request.dest).write_text(badge(outcome.figures, outcome.verdict, options), encoding="ascii")
    return f"Coverage badge written to file {request.dest}"


def _destination(cov: ReportingCoverage, request: ReportRequest) -> str:
    path = request.dest or str(cov.get_option(f"{request.kind}:output"))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return path


_MAKERS: dict[str, Callable[[ReportingCoverage, ReportRequest, Options, Outcome], str]] = {
    "term": _terminal,
    "term-missing": _terminal,
    "annotate": _annotate,
    "html": _html,
    "page": _page,
    "xml": _xml,
    "lcov": _lcov,
    "json": _json,
    "markdown": _markdown,
    "markdown-append": _markdown,
    "badge": _badge,
}

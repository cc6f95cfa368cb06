"""Write the baseline: how much of each file was reached, by what lies here."""

from __future__ import annotations

from dataclasses import replace

from pytest_vmpilot_cov.baseline import path_of, text_of
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from pytest_vmpilot_cov.messages import UsageError, say, shown_path
from pytest_vmpilot_cov.model import Options, Tally
from pytest_vmpilot_cov.verdict import count_only


def write_baseline(options: Options) -> str:
    """Write the baseline; return what is in it, in one line, or nothing if nothing was measured.

    Raises:
        UsageError: when it cannot be counted or written.
    """
    figures = count_only(replace(options, reports=()), Scope(ask=False), hooks_of_command())
    if figures.problem:
        raise UsageError(say("cannot-count", why=figures.problem))
    if not figures.total.reached:
        return ""
    path = path_of(options)
    try:
        path.write_text(text_of(figures, options), encoding="utf-8")
    except OSError as error:
        raise UsageError(say("baseline-unwritable", path=path, why=error.strerror or error)) from None
    total = sum((by["combined"] for by in figures.tallies.values()), Tally())
    return (
        f"wrote {shown_path(str(path), options.root)}: {total.there - total.to_gain} of {total.there} statements"
        f"{' and branches' if total.branches else ''} ({total.percent:.2f}%)"
    )

"""The badge: the total as a small SVG, in the color of the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coverage.results import display_covered

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Figures, Options, Verdict

PASSED, FAILED, UNJUDGED = "#2a7d3f", "#b3261e", "#4a5568"
"""Dark enough for white letters, by the contrast that WCAG asks for."""
_LETTER, _MARGIN = 7, 12
"""Roughly how wide a letter is, and the space around a word, in pixels; browsers fit the words to it."""
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<clipPath id="c"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#c)"><rect width="{left}" height="20" fill="#333"/>\
<rect x="{left}" width="{right}" height="20" fill="{color}"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{left_middle}" y="14" textLength="{left_text}">coverage</text>
<text x="{right_middle}" y="14" textLength="{right_text}">{percent}</text>
</g>
</svg>
"""


def badge(figures: Figures, verdict: Verdict, options: Options) -> str:
    """Return the badge as SVG; its title says what each origin reached."""

    def shown(percent: float) -> str:
        return f"{display_covered(percent, options.precision)}%"

    percent = shown(figures.total.percent)
    judged = ("passed" if verdict.passed else "failed") if verdict.checks else ""
    color = {"passed": PASSED, "failed": FAILED}.get(judged, UNJUDGED)
    origins = ", ".join(f"{row.origin} {shown(row.percent)}" for row in figures.rows)
    title = f"coverage: {percent}" + (f" ({origins})" if origins else "") + (f", {judged}" if judged else "")
    left, right = (_MARGIN + _LETTER * len(text) for text in ("coverage", percent))
    return _SVG.format(
        width=left + right,
        left=left,
        right=right,
        left_middle=left / 2,
        right_middle=left + right / 2,
        left_text=left - _MARGIN,
        right_text=right - _MARGIN,
        title=title,
        color=color,
        percent=percent,
    )

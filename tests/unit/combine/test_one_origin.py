from __future__ import annotations

from pytest_vmpilot_cov.combine.one_origin import only_origin
from pytest_vmpilot_cov.model import Combined
from server_hook.arcs import Arcs
from server_hook.store.segment import Label, Source, bitmap

A, B, PAGE = Source("/p/a.py"), Source("/p/b.py"), Source("/p/page.html", "", "templates")
COMBINED = Combined(
    {
        Label("unit"): {A: Arcs({(1, 2)}), PAGE: Arcs({(1, 1)})},
        Label("unit", "test_one"): {A: Arcs({(1, 2)})},
        Label("pipeline"): {B: bitmap([3])},
    },
    {"/p/c.py": ""},
)


def test_an_origin_keeps_its_lines_and_those_of_its_tests() -> None:
    """What others reached becomes source that never ran, with the plugin that reports it."""
    one = only_origin(COMBINED, "unit")
    assert set(one.counted) == {Label("unit"), Label("unit", "test_one")}
    assert one.untouched == {"/p/c.py": "", "/p/b.py": ""}


def test_branches_stay_if_any_origin_has_them() -> None:
    """Lines become arcs that take no branch, so that the percentage is that of the origin's row."""
    one = only_origin(COMBINED, "pipeline")
    assert one.counted == {Label("pipeline"): {B: Arcs({(3, 3)})}}
    assert one.untouched == {"/p/c.py": "", "/p/a.py": "", "/p/page.html": "templates"}


def test_without_an_origin_nothing_is_left_out() -> None:
    """All origins are reported where none is named."""
    assert only_origin(COMBINED, "") is COMBINED

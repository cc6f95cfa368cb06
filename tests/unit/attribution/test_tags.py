"""The tag as a member of the header ``baggage``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_hook.attribution.tags import MOST_OCTETS, from_headers, to_header

TESTS = ("tests/test_a.py::test_b|run", "tests/test_a.py::test_b[é, ü=1;2]|setup", "tests/t.py::test[100%]|run")


@pytest.mark.parametrize("test", TESTS)
def test_a_name_survives_the_header(test: str) -> None:
    """Whatever characters a test's parameters have, the header gives its name back."""
    assert from_headers([to_header(test)]) == test


def test_members_of_others_stay_apart() -> None:
    """The tag is found among the members of an application, in one header or in several, with its properties."""
    assert from_headers(["user=7;p=1, other=x", f"k=v , {to_header('t.py::a|run')};secret=1"]) == "t.py::a|run"
    assert not from_headers(["user=7", ""])


def test_a_name_that_is_too_long_has_no_header() -> None:
    """A name that would fill the server's limit of headers is not sent."""
    assert not to_header("t" * MOST_OCTETS)


@given(st.lists(st.text()))
def test_no_header_of_a_stranger_ends_in_an_error(values: list[str]) -> None:
    """Any text gives a printable name or none."""
    assert from_headers([f"vmpilot-cov={value}" for value in values]).isprintable()

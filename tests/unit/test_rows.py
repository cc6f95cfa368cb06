from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_hook.rows import Row


class Usual(NamedTuple):
    """What Python makes."""

    first: int
    count: str
    third: tuple[int, ...] = ()
    fourth: float = 0.5

    @property
    def twice(self) -> int:
        """Be a member that is no field."""
        return 2 * self.first


class Ours(Row):
    """The same, made by us."""

    first: int
    count: str
    third: tuple[int, ...] = ()
    fourth: float = 0.5

    @property
    def twice(self) -> int:
        """Be a member that is no field."""
        return 2 * self.first


NAMES = st.sampled_from([*Usual._fields, "fifth", "cls"])
VALUES = st.integers() | st.text(max_size=3)


def outcome(act: Callable[[], Any]) -> object:
    """Return what an act gives, with the class's name left out, or the kind of its error."""
    try:
        made = act()
    except (TypeError, ValueError):
        return "refused"
    return repr(made).replace("Usual", "").replace("Ours", ""), tuple(made) if isinstance(made, tuple) else made


@given(st.lists(VALUES, max_size=6), st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_a_row_is_what_a_named_tuple_is(values: list[Any], named: dict[str, Any], changes: dict[str, Any]) -> None:
    """It takes and refuses the same values, by place or by name, and then shows, changes and gives away the same."""
    for act in (
        lambda kind: kind(*values, **named),
        lambda kind: kind(*values, **named)._asdict(),
        lambda kind: kind(*values, **named)._replace(**changes),
        lambda kind: kind(*values, **named).twice,
        lambda kind: (kind(*values, **named).count, kind(*values, **named).fourth),
    ):
        assert outcome(lambda act=act: act(Ours)) == outcome(lambda act=act: act(Usual))  # type: ignore[misc]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copied_row_is_equal_and_of_its_kind(copied: Callable[[Ours], object]) -> None:
    """Whichever way it is copied, the copy has the same fields and the same hash."""
    one = Ours(1, "a", fourth=2.0)
    other = copied(one)
    assert other == one
    assert type(other) is Ours
    assert hash(other) == hash(one)


def test_a_row_cannot_be_changed() -> None:
    """It has no room for anything but its fields, and those stay."""
    one: Any = Ours(1, "a")
    for name in ("first", "fifth"):
        with pytest.raises(AttributeError):
            setattr(one, name, 2)
    assert (Ours._fields, Ours._field_defaults) == (Usual._fields, Usual._field_defaults)

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import Any

import pytest

import pytest_vmpilot_cov.model as public
from pytest_vmpilot_cov.model.value import Value


class Ours(Value):
    """What this test compares."""

    name: str
    number: float = 1.5
    more: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Theirs:
    """The same as the standard library makes it."""

    name: str
    number: float = 1.5
    more: Mapping[str, int] = field(default_factory=dict)


BOTH = pytest.mark.parametrize("kind", [Ours, Theirs])


def same(make: Callable[[Any], object]) -> object:
    """Return what both kinds of class make, their own names aside; an exception counts by its type."""

    def result(kind: Any) -> object:
        try:
            return make(kind)
        except Exception as error:  # noqa: BLE001 - whichever it is, both must raise it
            return type(error)

    ours, theirs = result(Ours), result(Theirs)
    if isinstance(ours, str) and isinstance(theirs, str):
        theirs = theirs.replace("Theirs", "Ours")
    assert ours == theirs
    return ours


@pytest.mark.parametrize(
    ("args", "more"),
    [
        (("a",), {}),
        (("a", 2.0, {"b": 3}), {}),
        (("a",), {"more": {"b": 3}}),
        ((), {"number": 2.0, "name": "a"}),
        ((), {}),
        (("a", 2.0, {}, 4), {}),
        (("a",), {"name": "b"}),
        (("a",), {"other": 1}),
        ((), {"other": 1}),
    ],
)
def test_a_value_is_made_as_a_frozen_dataclass_is(args: tuple[Any, ...], more: dict[str, Any]) -> None:
    """Each call gives a value the fields that it gives a frozen dataclass, or raises the same kind of error."""
    shown = same(lambda kind: repr(kind(*args, **more)))
    same(lambda kind: asdict(kind(*args, **more)))
    assert shown is TypeError or str(shown).startswith("Ours(name=")


def test_values_are_compared_and_hashed_by_their_fields() -> None:
    """Equal fields make equal values with equal hashes, of the same class alone."""
    key = frozenset("a")
    assert Ours("a", 2.0, key) == Ours("a", 2.0, key)  # type: ignore[arg-type]
    assert len({Ours("a", 2.0, key), Ours("a", 2.0, key), Ours("a", 3.0, key)}) == 2  # type: ignore[arg-type]
    assert Ours("a") != Theirs("a")
    assert same(lambda kind: hash(kind("a"))) is TypeError  # a dict has no hash


def test_a_value_cannot_be_changed() -> None:
    """No attribute of a value can be set or deleted."""
    assert same(lambda kind: setattr(kind("a"), "name", "b")) is FrozenInstanceError
    assert same(lambda kind: setattr(kind("a"), "other", "b")) is FrozenInstanceError
    assert same(lambda kind: delattr(kind("a"), "name")) is FrozenInstanceError


@BOTH
def test_values_share_no_default_that_is_made_for_each(kind: Any) -> None:
    """Each value has a dict of its own."""
    first, second = kind("a"), kind("a")
    assert first.more == {}
    assert first.more is not second.more


@BOTH
def test_copies_of_values_are_equal(kind: Any) -> None:
    """``replace``, the copy module and pickle make values of the same class."""
    value = kind("a", more={"b": 3})
    assert replace(value, number=2.0) == kind("a", 2.0, {"b": 3})
    assert value == copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value))


def test_all_public_values_can_be_replaced() -> None:
    """Each class of the model is one of these values, whose fields ``replace`` knows."""
    classes = [each for each in vars(public).values() if isinstance(each, type)]
    assert len(classes) > 20
    assert all(issubclass(each, Value) and each.__dataclass_fields__ for each in classes)


def test_a_value_may_be_generic() -> None:
    """A value with a type parameter is made, and compared, as without it."""
    setting = public.Setting[int](4, "here")
    assert setting == public.Setting(4, "here")

"""Frozen dataclasses that share their methods: ``dataclass`` would compile six a class, whenever a session starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from typing import Any, ClassVar, NoReturn, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value:
    """The base of values: a subclass is used like a ``dataclass(frozen=True)``, with ``replace`` and ``asdict``."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _factories: ClassVar[dict[str, Callable[[], Any]]]

    def __init_subclass__(cls) -> None:
        """Read the fields; the methods stay those of this class."""
        super().__init_subclass__()  # a generic value's class is told of its parameters there
        dataclass(init=False, repr=False, eq=False)(cls)
        own = cls.__dataclass_fields__.values()
        cls._defaults = {each.name: each.default for each in own if each.default is not MISSING}
        cls._factories = {each.name: each.default_factory for each in own if each.default_factory is not MISSING}

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - whatever the fields are
        """Take the fields, in their order or by name.

        Raises:
            TypeError: when one is missing, unknown, or given twice.
        """
        names, own = self.__match_args__, self.__dict__
        own.update(self._defaults)
        own.update(zip(names, args, strict=False))
        own.update(more)
        for name, make in self._factories.items():
            if name not in own:
                own[name] = make()
        is_twice = bool(args) and not more.keys().isdisjoint(names[: len(args)])
        if is_twice or len(args) > len(names) or own.keys() != self.__dataclass_fields__.keys():
            given = ", ".join([f"{len(args)} by position", *more])
            raise TypeError(f"{type(self).__qualname__} takes {', '.join(names)}; given: {given}")

    def _key(self) -> tuple[Any, ...]:
        return tuple(map(self.__dict__.__getitem__, self.__match_args__))

    def __eq__(self, other: object) -> bool:
        """Compare all fields, with one of the same class."""
        return self._key() == other._key() if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        """Hash all fields."""
        return hash(self._key())

    def __repr__(self) -> str:
        """Show all fields by name."""
        shown = (f"{name}={value!r}" for name, value in zip(self.__match_args__, self._key(), strict=True))
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse."""
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse."""
        raise FrozenInstanceError(f"cannot delete field {name!r}")

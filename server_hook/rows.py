"""Tuples with named fields: what ``typing.NamedTuple`` makes, at a tenth of what that costs each start of a process.

It would compile a constructor for each class, and check each annotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Self
    from typing import NamedTuple as Row
else:
    from collections import _tuplegetter as getter  # in C, or what stands for it

    class _Type(type):
        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Self:
            made = type.__new__(cls, name, bases, {**body, "__slots__": ()})
            made._fields = tuple(made.__annotations__)
            made._field_defaults = {field: body[field] for field in made._fields if field in body}
            for place, field in enumerate(made._fields):
                setattr(made, field, getter(place, None))
            return made

    class Row(tuple, metaclass=_Type):
        """A tuple whose fields are the annotations in the class's body, with their defaults."""

        __slots__ = ()

        def __new__(cls, /, *values: object, **named: object) -> Self:
            """Make one of its fields, in order or by name.

            Raises:
                TypeError: when one is missing, or is none of them.
            """
            missing = cls._fields[len(values) :]
            if missing:
                given = {**cls._field_defaults, **named} if named else cls._field_defaults
                try:
                    values += tuple([given[name] for name in missing])
                except KeyError as error:
                    raise TypeError(f"{cls.__name__} lacks {error}") from error
            if len(values) != len(cls._fields) or (named and not named.keys() <= set(missing)):
                raise TypeError(f"{cls.__name__} has the fields {cls._fields}, each once")
            return tuple.__new__(cls, values)

        def __repr__(self) -> str:
            """Show the fields with their names."""
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            """Return what a copy is made of."""
            return tuple(self)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, /, **changes: object) -> Self:
            return type(self)(**{**self._asdict(), **changes})


__all__ = ["Row"]

"""Parts united as they come, so that memory grows with the sources and never with the processes.

No later step needs to know which process a part is from. Later steps do tell apart labels, states of a source, lines
and arcs, and when the oldest measurement of each source began, so these stay apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from server_hook.store.segment import Label, Measured, Part, Source


class _Union:
    """What was measured under one label, all of it lines or all of it arcs."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.files: dict[Source, tuple[Measured, float]] = {}
        """What was measured of a source, and when the oldest of it began."""
        self.ended = 0.0


class Union:
    """Parts on their way to a few that say the same; order and repetition do not matter."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        """Begin with some parts, or with none."""
        self._unions: dict[tuple[Label, type], _Union] = {}
        for part in parts:
            self.add(part)

    def add(self, part: Part) -> None:
        """Unite a part with what is there; the part itself is left alone."""
        unions: dict[type, _Union] = {}
        for source, measured in part.files.items():
            kind = type(measured)
            union = unions.get(kind)
            if union is None:
                union = unions[kind] = self._unions.setdefault((part.label, kind), _Union())
                union.ended = max(union.ended, part.ended)
            entry = union.files.get(source)
            if entry is None:
                union.files[source] = measured, part.begun
                continue
            before, begun = entry
            united = before | measured  # type: ignore[operator]  # one union holds one kind
            # most repeats bring nothing new
            if united is not before or part.begun < begun:
                union.files[source] = united, min(part.begun, begun)

    def take(self) -> Iterator[Part]:
        """Yield parts that say the same as all that were added, and forget them; a part without a file says nothing."""
        for label, kind in list(self._unions):
            union = self._unions.pop((label, kind))  # nothing is held twice
            by_age: dict[float, Part] = {}  # a part has one beginning, so sources of another age need another part
            for source, (measured, begun) in union.files.items():
                part = by_age.setdefault(begun, Part(label, begun, union.ended))
                part.files[source] = measured
            yield from by_age.values()

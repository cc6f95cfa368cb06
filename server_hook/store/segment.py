"""The segment: what one process measured since its last segment; written once, never changed.

A segment is one text line that names the format, its checksum and its length, and a JSON body: a list of sources, and a
list of parts that name their sources by the place in it. Lines are bitmaps (bit *n* is line *n*, as in coverage's
numbits) in hexadecimal; arcs are what ``Arcs.to_text`` makes of them.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from server_hook.arcs import Arcs
from server_hook.clock import is_moment
from server_hook.environment import ORIGINS
from server_hook.problems import one_line, printable
from server_hook.rows import Row
from server_hook.store import safe_files
from server_hook.store.safe_files import MOST_SEGMENT_BYTES

FORMAT = "3" if sys.byteorder == "little" else "3-big-endian"
SUFFIX = ".seg"
MOST_SOURCES = 1 << 16
"""How many sources are kept as one and the same value, in whichever process they were measured."""
MOST_LINES = 1 << 20
"""How many lines a source file may have."""
MOST_LETTERS = 4096
"""How long the path of a source, or its tracer's name, may be."""
_MAGIC = "vmpilot-cov segment"
_BITS: list[tuple[int, ...]] = [()]
"""The places of the bits of each octet."""
for _bit in range(8):  # doubled eight times: every recorded process makes this table at its start
    _BITS += [(*each, _bit) for each in _BITS]

Key = TypeVar("Key")
Lines: TypeAlias = int
Measured: TypeAlias = Lines | Arcs


class TornError(Exception):
    """A segment that is not what was written: cut short, damaged, or of another format."""


class Source(Row):
    """One source file as it was when it was measured; a tuple, because combining looks up millions of them."""

    path: str
    fingerprint: str = ""
    """SHA-256 of its bytes, shortened (see fingerprint.py); empty when it was not taken."""
    tracer: str = ""
    """The coverage plugin that measured it; empty for plain Python."""


class Label(Row):
    """What lines are counted for."""

    origin: str
    context: str = ""
    startup: bool = False
    """Whether they ran while modules were imported, before anything was asked of them."""
    dropped: bool = False
    """Whether they do not count at all: nothing of them is kept, and no segment has such a label."""


ByLabel: TypeAlias = dict[Label, dict[Source, Measured]]
"""What was measured, by label and source. An origin's label holds all of it, each test's of that origin its share."""


class Part:
    """What was measured under one label, over one span of time.

    Written out, because making a dataclass costs every recorded process more than all else in this module.
    """

    def __init__(
        self,
        label: Label,
        begun: float = 0.0,
        ended: float = 0.0,
        files: dict[Source, Measured] | None = None,
        epoch: float = 0.0,
    ) -> None:
        """Begin a part.

        Args:
            label: what its lines count for.
            begun: when the span began, in seconds since the Unix epoch.
            ended: when it ended.
            files: what was measured in each file.
            epoch: when the process was last reset before the span; 0 for never. A part that begins with its epoch may
                be empty.
        """
        self.label = label
        self.begun = begun
        self.ended = ended
        self.files: dict[Source, Measured] = {} if files is None else files
        self.epoch = epoch

    def __eq__(self, other: object) -> bool:
        """Compare everything."""
        return isinstance(other, Part) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        """Show everything."""
        return f"Part({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def add(self, source: Source, measured: Measured) -> None:
        """Add lines or arcs of one file; the union is kept."""
        unite(self.files, source, measured)


def join(one: Measured, other: Measured) -> Measured:
    """Unite what was measured; where either side has arcs, lines enter as arcs from a line to itself."""
    if isinstance(one, int) and isinstance(other, int):
        return one | other
    return to_arcs(one) | to_arcs(other)


def unite(files: dict[Key, Measured], key: Key, measured: Measured) -> None:
    """Add what was measured of a file to what is there of it."""
    files[key] = join(files[key], measured) if key in files else measured


def to_arcs(measured: Measured) -> Arcs:
    """Turn lines into arcs (n, n), which count for their line and for no branch."""
    return Arcs((line, line) for line in line_numbers(measured)) if isinstance(measured, int) else measured


def to_lines(measured: Measured) -> Lines:
    """Turn arcs into the lines that they touch, as coverage does: both ends, without entries and exits."""
    return measured if isinstance(measured, int) else bitmap(measured.lines())


def bitmap(lines: Iterable[int]) -> Lines:
    """Make a bitmap of line numbers."""
    wanted = set(lines)
    if not wanted:
        return 0
    octets = bytearray(max(wanted) // 8 + 1)  # an integer would be copied whole for each bit that is set
    for line in wanted:
        octets[line >> 3] |= 1 << (line & 7)
    return int.from_bytes(octets, "little")


def line_numbers(lines: Lines) -> list[int]:
    """List the line numbers of a bitmap, ascending."""
    octets = lines.to_bytes((lines.bit_length() + 7) // 8, "little")
    return [8 * place + bit for place, octet in enumerate(octets) for bit in _BITS[octet]]


def encode(parts: Iterable[Part]) -> bytes:
    """Turn parts into the bytes of a segment."""
    places: dict[Source, int] = {}
    encoded = [_encode_part(part, places) for part in parts]  # first: it fills places
    sources = [[each.path, each.fingerprint, each.tracer] for each in places]
    body = json.dumps({"sources": sources, "parts": encoded}, separators=(",", ":")).encode("ascii")
    return f"{_MAGIC} {FORMAT} {zlib.crc32(body):08x} {len(body)}\n".encode("ascii") + body


def decode(octets: bytes) -> list[Part]:
    """Turn the bytes of a segment back into its parts.

    Raises:
        TornError: when they are not a whole segment of a format known here.
    """
    head, _, body = octets.partition(b"\n")
    words = head.decode("ascii", "replace").split()
    if " ".join(words[:2]) != _MAGIC or len(words) != 5:  # noqa: PLR2004 - magic (2), format, checksum, length
        raise TornError("it does not begin like a segment")
    if words[2] != FORMAT:
        raise TornError(f"it has format {words[2]}, this version reads {FORMAT}; install the same one everywhere")
    if [f"{zlib.crc32(body):08x}", str(len(body))] != words[3:]:
        raise TornError(f"{len(body)} bytes do not match the checksum and length that were promised")
    try:
        raw = json.loads(body)
        sources = dict(enumerate(intern_source(*names) for names in raw["sources"]))
        return [_decode_part(part, sources) for part in raw["parts"]]
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise TornError(f"its body cannot be understood: {one_line(repr(error))}") from error


def write(folder: str, number: int, parts: Iterable[Part]) -> int:
    """Write a segment aside and rename it into place; return its size in bytes."""
    octets = encode(parts)
    safe_files.replace(f"{folder}/{number:06d}{SUFFIX}", octets)
    return len(octets)


def read_folder(folder: Path) -> Iterator[tuple[Path, list[Part] | TornError]]:
    """Read all segments of one process's folder, oldest first; a torn one is yielded as its error."""
    for name in sorted(safe_files.names_in(folder, SUFFIX)):  # by number: they have leading zeros
        path = folder / name
        try:
            yield path, decode(safe_files.read(str(path), MOST_SEGMENT_BYTES))
        except FileNotFoundError:  # folded or erased meanwhile
            continue
        except OSError as error:
            yield path, TornError(error.strerror)
        except TornError as error:
            yield path, error


def _encode_part(part: Part, places: dict[Source, int]) -> dict[str, object]:
    return {
        **part.label._asdict(),
        "begun": part.begun,
        "ended": part.ended,
        "epoch": part.epoch,
        "files": [
            [places.setdefault(source, len(places)), encode_measured(what)] for source, what in part.files.items()
        ],
    }


def encode_measured(measured: Measured) -> str | list[str]:
    """Turn what was measured into what JSON can hold."""
    return f"{measured:x}" if isinstance(measured, int) else [measured.to_text()]


def _decode_part(raw: dict[str, Any], sources: dict[int, Source]) -> Part:
    begun, ended, epoch = raw["begun"], raw["ended"], raw["epoch"]
    if not (is_moment(begun) and is_moment(ended) and is_moment(epoch)):
        raise ValueError(f"no moments: {begun}, {ended}, {epoch}")
    files: dict[Source, Measured] = {}
    for place, text in raw["files"]:
        source, measured = sources[place], decode_measured(text)
        files[source] = join(files[source], measured) if source in files else measured  # as unite, without its call
    return Part(intern_label(raw["origin"], raw["context"], raw["startup"] is True), begun, ended, files, epoch)


@lru_cache(MOST_SOURCES)
def intern_label(origin: str, context: str, startup: bool = False) -> Label:  # noqa: FBT001, FBT002 - as a segment has it
    """Return one and the same value for a label, whichever process measured it.

    Raises:
        ValueError: when there can be no such label.
    """
    if origin not in ORIGINS or (context in ORIGINS and context != origin):
        raise ValueError(f"no origin {origin!r}, or no context {context!r}")
    return Label(origin, printable(context) if context != origin else "", startup)


@lru_cache(MOST_SOURCES)
def intern_source(path: str, fingerprint: str, tracer: str) -> Source:
    """Return one and the same value for a source, whichever process measured it.

    Raises:
        ValueError: when there can be no such source.
    """
    for text in (path, fingerprint, tracer):
        if not isinstance(text, str) or "\0" in text or len(text) > MOST_LETTERS:
            raise ValueError(f"no path, fingerprint or tracer: {str(text)[:80]!r}")
    if not path:
        raise ValueError("a path is empty")
    os.fsencode(path), fingerprint.encode(), tracer.encode()  # a ValueError here, not later in a report
    return Source(path, fingerprint, tracer)


def decode_measured(raw: str | list[str]) -> Measured:
    """Turn back what ``encode_measured`` has returned.

    Raises:
        ValueError: when it cannot be, or when there can be no such lines.
    """
    if isinstance(raw, str):
        lines = int(raw, 16) if len(raw) <= MOST_LINES // 4 else -1  # four lines a digit
        if lines >= 0:
            return lines
    elif (arcs := Arcs.from_text(raw[0])).is_within(MOST_LINES):
        return arcs
    raise ValueError(f"lines below 0, or beyond {MOST_LINES}")


def add_totals(counted: ByLabel) -> None:
    """Add to each origin what its tests reached.

    A server has recorded that for its origin, too, perhaps with branches where its tests have lines.
    """
    lines: ByLabel = {}
    for label, files in [(label, files) for label, files in counted.items() if label.context]:
        origin = Label(label.origin)
        for source, measured in files.items():
            sums = lines if isinstance(measured, int) else counted
            unite(sums.setdefault(origin, {}), source, measured)
    for label, files in lines.items():  # after all arcs: a line of these needs no arc to itself
        total = counted.setdefault(label, {})
        for source, measured in files.items():
            before = total.get(source, 0)
            more = measured if isinstance(before, int) else to_lines(measured) & ~to_lines(before)
            if more or source not in total:
                unite(total, source, more)

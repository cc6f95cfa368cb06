"""As many segments as it takes: one that is too large would be refused by every reader."""

from __future__ import annotations

from collections.abc import Iterator

from server_hook.store import safe_files, segment
from server_hook.store.safe_files import MOST_SEGMENT_BYTES
from server_hook.store.segment import Part


def encode(parts: list[Part], most_bytes: int = MOST_SEGMENT_BYTES) -> Iterator[bytes]:
    """Turn parts into the bytes of segments that are read; what was measured of one file is not divided."""
    octets = segment.encode(parts)
    halves = _halves(parts) if len(octets) > most_bytes else []
    if not halves:
        yield octets
    for half in halves:
        yield from encode(half, most_bytes)


def write(folder: str, number: int, octets: bytes) -> None:
    """Write a segment aside and rename it into place."""
    safe_files.replace(f"{folder}/{number:06d}{segment.SUFFIX}", octets)


def _halves(parts: list[Part]) -> list[list[Part]]:
    """Divide parts in two, a single one by its files; nothing where it has only one."""
    if len(parts) > 1:
        return [parts[: len(parts) // 2], parts[len(parts) // 2 :]]
    [part], files = parts, list(parts[0].files.items())
    divided = [dict(files[: len(files) // 2]), dict(files[len(files) // 2 :])]
    return [[Part(part.label, part.begun, part.ended, each, part.epoch)] for each in divided if len(files) > 1]

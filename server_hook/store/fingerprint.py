"""What a source file was when it was measured: a short SHA-256 of its bytes.

JaCoCo (class ids) and Go (meta-data hashes) find stale data by the same means.
"""

from __future__ import annotations

import hashlib

from server_hook.coverage_private import zip_member
from server_hook.store.safe_files import RefusedError, read_source

LENGTH = 32
"""Hexadecimal digits that are kept: 128 bits, far more than accidents need."""

UNVERIFIED = "unverified"
"""What stands for the fingerprint of a source that could not be read when it was measured."""


def fingerprint(path: str) -> str:
    """Return the fingerprint of the file, or the member of a zip file, at *path*; empty if it cannot be read."""
    try:
        content: bytes | None = read_source(path)
    except RefusedError:  # an OSError, too, but the path exists: no member of a zip file
        return ""
    except OSError:
        content = zip_member(path)
    return fingerprint_of(content) if content is not None else ""


def fingerprint_of(content: bytes) -> str:
    """Return the fingerprint of what a file holds."""
    return hashlib.sha256(content).hexdigest()[:LENGTH]

"""What a source file was when it was measured: a short SHA-256 of its bytes.

JaCoCo (class ids) and Go (meta-data hashes) find stale data by the same means.
"""

from __future__ import annotations

import hashlib

from server_hook.store.safe_files import read_source

LENGTH = 32
"""Hexadecimal digits that are kept: 128 bits, far more than accidents need."""


def fingerprint(path: str) -> str:
    """Return the fingerprint of the file at *path*, empty when it cannot be read."""
    try:
        return hashlib.sha256(read_source(path)).hexdigest()[:LENGTH]
    except OSError:
        return ""

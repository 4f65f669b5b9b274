"""A few facts about an archive by which another machine tells whether it sees the same one.

    {"1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip": "536870912 8c1f…",    size, SHA-256 of the end
     "1.Training/loose/a.jpg": "1048576"}                               size

The end of a zip is its directory: names, sizes and checksums. Photos themselves are not read, and
times, which differ between copies, do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.folder import Files, base_of, read_at
from fertools.archive.members import Members, keys_of
from fertools.archive.names import decode_path
from fertools.archive.volumes import find_volumes
from fertools.columns import Ints
from fertools.errors import OptionError

#: Bytes at the end of a zip, or of a piece of one, that are read: 800 entries of AI-Hub's zips.
_END: Final = 1 << 16

#: Loose photos that are looked at, spread evenly over all: a network disk takes a second for them.
_LOOSE: Final = 1000

Signatures = Mapping[str, str]


def file_signatures(source: Path, members: Members) -> Signatures:
    """Return the landmarks of an archive, by path: every zip and piece, and some loose photos."""
    packed = members.columns.numbers("offset", fill=-1) >= 0
    loose = np.flatnonzero(~packed & (members.dropped < 0))
    some = loose[np.linspace(0, len(loose) - 1, min(_LOOSE, len(loose))).astype(np.int64)]
    zips = {member.path for member in members.take(_first_of_each(members, packed))}
    with Files(base_of(source)) as files:
        paths = {piece.path for path in zips for piece in find_volumes(files.base, path).pieces}
        found = {os.fsdecode(path): _end(files, path) for path in sorted(paths)}
    return found | {os.fsdecode(member.path): str(member.size) for member in members.take(some)}


def first_mismatch(source: Path, expected: Signatures) -> str | None:
    """Return the name of the first landmark that is another one here, None where all agree."""
    with Files(base_of(source)) as files:
        for name, fact in expected.items():
            path = os.fsencode(name)
            try:
                size = os.stat(os.path.join(files.base, path)).st_size  # noqa: PTH116, PTH118
                same = fact == (_end(files, path) if " " in fact else str(size))
            except OSError:
                same = False
            if not same:
                return decode_path(path)
    return None


def _first_of_each(members: Members, packed: NDArray[np.bool_]) -> Ints:
    """Return a member of every zip; members of one zip follow each other."""
    containers = members.columns.codes("container")[0]
    rows = np.flatnonzero(packed)
    return rows[np.flatnonzero(np.diff(containers[rows], prepend=-1))]


def _end(files: Files, path: bytes) -> str:
    descriptor = files.descriptor(path)
    size = os.fstat(descriptor).st_size
    start = max(0, size - _END)
    return f"{size} {sha256(read_at(descriptor, start, size - start)).hexdigest()}"


def source_fingerprint(members: Members) -> str:
    """Return a fingerprint of an archive's members; not of their times, which a copy changes."""
    digest = blake2b(digest_size=16)
    for line in _lines(members):
        digest.update(line)
    return digest.hexdigest()


def pseudonym_secret(members: Members, seed: int, given: Path | None = None) -> bytes:
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


def _lines(members: Members) -> Iterator[bytes]:
    for batch in members.columns.slices():
        columns = keys_of(batch), batch["size"], batch["crc"].fill_null(0)
        for key, size, crc in zip(*(column.to_pylist() for column in columns), strict=True):
            yield f"{key}\0{size}\0{crc}\0".encode()

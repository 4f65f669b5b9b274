"""A few facts about an archive by which another machine tells whether it sees the same one.

    {"1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip": "536870912 8c1f…",    size, SHA-256 of the end
     "1.Training/loose/a.jpg": "1048576"}                               size

The end of a zip is its directory: names, sizes and checksums. Photos themselves are not read, and
times, which differ between copies, do not count.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.files import Files, read_at
from fertools.archive.folder import base_of
from fertools.archive.members import Members
from fertools.archive.names import decode_path
from fertools.archive.pieces import find
from fertools.columns import Ints

#: Bytes at the end of a zip, or of a piece of one, that are read: 800 entries of AI-Hub's zips.
_END: Final = 1 << 16

#: Loose photos that are looked at, spread evenly over all: a network disk takes a second for them.
_LOOSE: Final = 1000

Landmarks = Mapping[str, str]


def landmarks(source: Path, members: Members) -> Landmarks:
    """Return the landmarks of an archive, by path: every zip and piece, and some loose photos."""
    packed = members.columns.numbers("offset", fill=-1) >= 0
    loose = np.flatnonzero(~packed & (members.dropped < 0))
    some = loose[np.linspace(0, len(loose) - 1, min(_LOOSE, len(loose))).astype(np.int64)]
    zips = {member.path for member in members.take(_first_of_each(members, packed))}
    with Files(base_of(source)) as files:
        paths = {piece.path for path in zips for piece in find(files.base, path).pieces}
        found = {os.fsdecode(path): _end(files, path) for path in sorted(paths)}
    return found | {os.fsdecode(member.path): str(member.size) for member in members.take(some)}


def difference(source: Path, expected: Landmarks) -> str | None:
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

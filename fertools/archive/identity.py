"""Compare archives by file signatures; derive the source fingerprint and the pseudonym secret.

    {"1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip": "536870912 8c1f…",    size, SHA-256 of the end
     "1.Training/loose/a.jpg": "1048576"}                               size

With these file signatures another machine checks that it sees the same archive. Of each zip or
volume only the last 64 KiB are read: they contain its directory (names, sizes, checksums). At most
1,000 loose photos are compared, by size. Modification times differ in a copy and are not used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final

import numpy as np

from fertools.archive.containers.locate import find_volumes
from fertools.archive.folder import OpenFiles, base_folder, read_at
from fertools.archive.members import Members, keys_of
from fertools.archive.names import decode_path
from fertools.errors import OptionError

#: Bytes read at the end of a zip or volume: enough for 800 entries of AI-Hub's zips.
_END_BYTES: Final = 1 << 16

#: Loose photos that are compared, spread evenly over all: this takes a second on a network disk.
_MAX_LOOSE: Final = 1000

Signatures = Mapping[str, str]


def file_signatures(source: Path, members: Members) -> Signatures:
    """Return the signature of every zip and volume and of some loose photos, by path."""
    packed = members.columns.numbers("offset", fill=-1) >= 0
    loose = np.flatnonzero(~packed & (members.dropped < 0))
    sample = loose[np.linspace(0, len(loose) - 1, min(_MAX_LOOSE, len(loose))).astype(np.int64)]
    rows = np.flatnonzero(packed)  # the members of one zip follow each other
    containers = members.columns.codes("container")[0][rows]
    first_of_each = rows[np.flatnonzero(np.diff(containers, prepend=-1))]
    zips = {member.path for member in members.take(first_of_each)}
    with OpenFiles(base_folder(source)) as files:
        paths = {volume.file for path in zips for volume in find_volumes(files.base, path).volumes}
        ends = {os.fsdecode(path): _end_signature(files, path) for path in sorted(paths)}
    return ends | {os.fsdecode(member.path): str(member.size) for member in members.take(sample)}


def first_mismatch(source: Path, expected: Signatures) -> str | None:
    """Return the path of the first file with another signature than expected, None if all agree."""
    with OpenFiles(base_folder(source)) as files:
        for name, signature in expected.items():
            path = os.fsencode(name)
            with suppress(OSError):
                size = os.stat(os.path.join(files.base, path)).st_size  # noqa: PTH116, PTH118
                if signature == (_end_signature(files, path) if " " in signature else str(size)):
                    continue
            return decode_path(path)
    return None


def _end_signature(files: OpenFiles, path: bytes) -> str:
    descriptor = files.descriptor(path)
    size = os.fstat(descriptor).st_size
    start = max(0, size - _END_BYTES)
    return f"{size} {sha256(read_at(descriptor, start, size - start)).hexdigest()}"


def source_fingerprint(members: Members) -> str:
    """Hash the members' keys, sizes and checksums to 32 hex digits; a copy has the same hash."""
    digest = blake2b(digest_size=16)
    _add_members(digest, members)
    return digest.hexdigest()


def pseudonym_secret(members: Members, seed: int, salt_file: Path | None = None) -> bytes:
    """Return the secret key for pseudonyms, 32 bytes.

    salt_file  file whose bytes determine the secret. Without a file the secret is derived from the
               archive's names, sizes and checksums, so that the same archive and seed give the same
               dataset. Without the file or the archive the secret cannot be computed.

    Raises OptionError if the file cannot be read or is empty.
    """
    digest = blake2b(str(seed).encode("ascii"), digest_size=32, person=b"pseudonyms")
    if salt_file is None:
        _add_members(digest, members)
        return digest.digest()
    try:
        data = salt_file.read_bytes()
    except OSError as fault:
        raise OptionError(f"--salt-file {salt_file} cannot be read: {fault.strerror}") from fault
    if not data:
        raise OptionError(f"--salt-file {salt_file} is empty: put some random bytes into it")
    digest.update(sha256(data).digest())
    return digest.digest()


def _add_members(digest: blake2b, members: Members) -> None:
    for batch in members.columns.slices():
        columns = keys_of(batch), batch["size"], batch["crc"].fill_null(0)
        for key, size, crc in zip(*(column.to_pylist() for column in columns), strict=True):
            digest.update(f"{key}\0{size}\0{crc}\0".encode())

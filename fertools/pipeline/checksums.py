"""SHA256SUMS: the checksums of all that was published, the manifest's own among them.

    $ cd faces && sha256sum --check SHA256SUMS

A manifest cannot hold its own checksum, and much in it (options, versions) stands nowhere else,
so that a flipped bit there would show in nothing. Everything here follows from the manifest and the
ledger: who has those can tell whether this file is as it was written.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from fertools.pipeline.splitfile import SPLITS
from fertools.shards import MANIFEST, Manifest, info_files

CHECKSUMS: Final = "SHA256SUMS"


def published(manifest: Manifest, splits: bytes) -> dict[str, str]:
    """Give the SHA-256 of every file that a dataset consists of, this list itself apart.

    splits   the bytes of splits.csv, which the ledger tells
    """
    files = {s.file: s.sha256 for split in manifest.splits.values() for s in split.shards}
    files[manifest.ledger.file] = manifest.ledger.sha256
    written = info_files(manifest) | {MANIFEST: manifest.to_json().encode(), SPLITS: splits}
    return files | {name: sha256(data).hexdigest() for name, data in written.items()}


def checksums(manifest: Manifest, splits: bytes) -> bytes:
    """Give the file's bytes: a line a file, by name, as `sha256sum` writes and reads them."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(published(manifest, splits).items())]
    return "".join(lines).encode()

"""SHA256SUMS: the checksums of all that was published, the manifest's own among them.

    $ cd faces && sha256sum --check SHA256SUMS

A manifest cannot hold its own checksum, and much in it (options, versions) stands nowhere else,
so that a flipped bit there would show in nothing. Everything here follows from the manifest and the
ledger: who has those can tell whether this file is as it was written.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from fertools.shards import MANIFEST, Manifest, info_files
from fertools.shards.names import SPLITS

CHECKSUMS: Final = "SHA256SUMS"


def published(manifest: Manifest, text: str, splits: str) -> dict[str, str]:
    """Return the SHA-256 of every file that a dataset consists of, this list itself apart.

    text     of the manifest's own bytes
    splits   of splits.csv, whose bytes follow from the ledger
    """
    files = {s.file: s.sha256 for split in manifest.splits.values() for s in split.shards}
    files[manifest.ledger.file] = manifest.ledger.sha256
    files |= {name: sha256(data).hexdigest() for name, data in info_files(manifest).items()}
    return files | {MANIFEST: text, SPLITS: splits}


def checksums(manifest: Manifest, text: str, splits: str) -> bytes:
    """Return the file's bytes: a line a file, by name, as `sha256sum` writes and reads them."""
    files = published(manifest, text, splits)
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()

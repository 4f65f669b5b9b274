"""OUT/README.md: what in a dataset may travel, and what must stay."""

from __future__ import annotations

from typing import Final

from fertools.shards.manifest import Manifest
from fertools.shards.names import HOME, MANIFEST

README: Final = "README.md"

_PSEUDONYMS: Final = (
    "Keys and subjects in the shards are pseudonyms: 32 hex digits, keyed with a secret that\n"
    f"stays in `{HOME}`. Who has the same archive can compute it, unless `--salt-file` was given."
)
_PLAIN: Final = (
    "Keys and subjects in the shards are plain file names and subject ids, because\n"
    "`--keep-names` was given: **do not give these shards away**."
)


def readme(manifest: Manifest) -> bytes:
    """Return the bytes of README.md, the same for the same manifest."""
    plain = bool(manifest.options.get("keep_names"))
    return f"""# {manifest.name}

{manifest.counts.kept} face crops, built with fertools {manifest.fertools}. They are photos of
faces, hence personal data; AI-Hub's terms forbid passing its photos on, and crops are photos.

| file | what it is | may it leave this machine? |
|---|---|---|
| `*.tfrecord-*` | the crops, with labels and provenance | where the terms of the photos allow it |
| `{MANIFEST}`, `*.json`, `label.labels.txt` | options, counts, formats | with the shards |
| `SHA256SUMS` | checksums of all files | with the shards |
| `{manifest.ledger.file}`, `splits.csv` | **plain file names and subject ids** | no |
| `{HOME}/` | finished faces, plain names, the secret of the pseudonyms | no |

{_PLAIN if plain else _PSEUDONYMS}
""".encode()

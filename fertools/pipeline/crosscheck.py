"""Whether every record is what its ledger row says, and every shard what the manifest says.

    manifest ──▶ shard     SHA-256, size, number of records
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, by its place

Problems come a line each. It reads what was written and uses none of the code that wrote it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fertools.errors import DatasetError
from fertools.hashing import pseudonym
from fertools.pipeline.progress import Progress
from fertools.shards import Example, Manifest, ShardFile, read_records, sha256_of

Row = dict[str, Any]


@dataclass(frozen=True)
class Crosscheck:
    """A dataset's shards, and the ledger rows that say what they hold."""

    out: Path
    manifest: Manifest
    rows: Sequence[Row]

    def problems(self, *, quiet: bool) -> Iterator[str]:
        """Yield what differs, shard by shard."""
        places = [
            (split, number, shard)
            for split, contents in self.manifest.splits.items()
            for number, shard in enumerate(contents.shards)
        ]
        known = {(split, number) for split, number, _ in places}
        for split, number in self._at.keys() - known:
            yield f"{self.manifest.ledger.file}: it knows of shard {number} of {split}"
        with Progress("verify", len(places), unit="shards", quiet=quiet) as shown:
            for split, number, shard in places:
                yield from self._shard(shard, self._at[split, number])
                shown.add(1)

    @cached_property
    def _at(self) -> dict[tuple[str, int], dict[int, Row]]:
        """The rows of each shard, by split and number, by their place in it."""
        found: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
        for row in self.rows:
            if row["split"] is not None:
                found[row["split"], row["shard"]][row["index"]] = row
        return found

    def _shard(self, shard: ShardFile, rows: Mapping[int, Row]) -> Iterator[str]:
        path = self.out / shard.file
        if not path.is_file():
            return
        if sha256_of(path) != shard.sha256:
            yield f"{shard.file}: its SHA-256 is not the manifest's"
        if (size := path.stat().st_size) != shard.bytes:
            yield f"{shard.file}: {size} bytes, the manifest says {shard.bytes}"
        count = 0
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
                example = Example.from_bytes(data)
                if index in rows and (differs := self._differences(example, rows[index])):
                    yield f"{shard.file}: record {index} is not its row's in {', '.join(differs)}"
        except DatasetError as fault:
            yield f"{shard.file}: {fault}"
            return
        if rows and count <= max(rows):
            yield f"{shard.file}: {count} records, the ledger knows of record {max(rows)}"
        if count != shard.records:
            yield f"{shard.file}: {count} records, the manifest says {shard.records}"

    def _differences(self, example: Example, row: Row) -> list[str]:
        """Name the fields in which a record is not what its row says."""
        names = [entry.name for entry in self.manifest.classes]
        box = example.box
        said = {
            "label": names[example.label] if example.label < len(names) else None,
            "key": example.key,
            "subject": example.subject,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
        }
        meant = {
            "label": row["label"],
            "key": self._shown(row["key"], "key"),
            "subject": self._shown(row["subject"], "subject"),
            "sex": row["sex"] or "",
            "age": -1 if row["age"] is None else row["age"],
            "box": tuple(float(np.float32(row[side])) for side in ("x0", "y0", "x1", "y1")),
            "confidence": row["confidence"],
        }
        return [field for field in said if said[field] != meant[field]]

    def _shown(self, name: str | None, purpose: str) -> str:
        """Give a name as records hold it: plain, or the pseudonym that the seed makes of it."""
        options = self.manifest.options
        if not name or options.get("keep_names"):
            return name or ""
        return pseudonym(self._secret, name, purpose)

    @cached_property
    def _secret(self) -> bytes:
        """What pseudonyms are keyed with; datasets of 0.1.0 used the seed's digits."""
        if "salt_file" in self.manifest.options:
            return bytes.fromhex((self.out / ".fertools" / "secret").read_text("ascii"))
        return str(self.manifest.options.get("seed", 0)).encode("ascii")

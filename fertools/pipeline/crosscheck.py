"""Whether every record is what its ledger row says, and every shard what the manifest says.

    manifest ──▶ shard     SHA-256, size, number of records
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, by its place

Problems come a line each. It reads what was written and uses none of the code that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.errors import DatasetError
from fertools.hashing import pseudonym
from fertools.pipeline.ledgerrows import Ints, LedgerRows, digest
from fertools.pipeline.progress import Progress
from fertools.shards import HOME, SECRET, Example, Manifest, ShardFile, read_records, sha256_of

_SIDES: Final = ("x0", "y0", "x1", "y1")


class ShownNames:
    """How the records of a dataset show names: as they are, or as pseudonyms.

    The secret of the pseudonyms stays in OUT/.fertools. Where that is not at hand, the names of
    people are still held against each other: one name, one pseudonym.
    """

    def __init__(self, out: Path, manifest: Manifest) -> None:
        self.plain = bool(manifest.options.get("keep_names"))
        self._secret = _secret(out, manifest)
        self._seen: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    @property
    def known(self) -> bool:
        """Whether a name's pseudonym can be computed."""
        return self.plain or self._secret is not None

    def key(self, name: str) -> str:
        """Return a key as records hold it; "" where that is not known."""
        return self._shown(name, "key") if self.known else ""

    def is_subject(self, shown: str, name: str | None) -> bool:
        """Return whether a record shows a subject as it must; `name` is None for no person."""
        if not name or self.known:
            return shown == self._shown(name or "", "subject")
        return (
            self._seen.setdefault(name, shown) == shown
            and self._owners.setdefault(shown, name) == name
        )

    def _shown(self, name: str, purpose: str) -> str:
        if not name or self.plain or self._secret is None:
            return name
        return pseudonym(self._secret, name, purpose)


def _secret(out: Path, manifest: Manifest) -> bytes | None:
    """Read what pseudonyms are keyed with; fertools 0.1.0 used the digits of the seed."""
    if manifest.revision == 0:
        return str(manifest.options.get("seed", 0)).encode("ascii")
    try:
        return bytes.fromhex((out / HOME / SECRET).read_text("ascii"))
    except OSError:
        return None
    except ValueError:
        return b"damaged"  # every record then differs from its row, which is what is to be told


@dataclass(frozen=True)
class Crosscheck:
    """A dataset's shards, and the ledger rows that say what they hold."""

    out: Path
    manifest: Manifest
    rows: LedgerRows
    names: ShownNames

    def problems(self, *, quiet: bool) -> Iterator[str]:
        """Yield what differs, shard by shard."""
        ledger = self.manifest.ledger.file
        places = [
            (split, number, shard)
            for split, contents in self.manifest.splits.items()
            for number, shard in enumerate(contents.shards)
        ]
        known = {(split, number) for split, number, _ in places}
        for split, number in sorted(self._at.keys() - known):
            yield f"{ledger}: it knows of shard {number} of {split}"
        with Progress("verify", len(places), unit="shards", quiet=quiet) as shown:
            for split, number, shard in places:
                rows = self._at.get((split, number), np.zeros(0, np.int64))
                indices = self.rows.numbers["index"][rows]
                if (indices[1:] == indices[:-1]).any():
                    yield f"{ledger}: two rows lie at one place of {shard.file}"
                yield from self._shard(shard, rows)
                shown.add(1)

    @cached_property
    def _at(self) -> dict[tuple[str, int], Ints]:
        """The rows of each shard, by split and number, in the order of their places in it."""
        split, numbers = self.rows.words["split"], self.rows.numbers
        used = np.flatnonzero(split.codes >= 0)
        shards, indices = numbers["shard"][used], numbers["index"][used]
        used = used[np.lexsort((indices, shards, split.codes[used]))]
        splits, shards = split.codes[used], numbers["shard"][used]
        ends = np.flatnonzero((splits[1:] != splits[:-1]) | (shards[1:] != shards[:-1])) + 1
        return {
            (split.words[split.codes[rows[0]]], int(numbers["shard"][rows[0]])): rows
            for rows in np.split(used, ends)
            if len(rows)
        }

    def _shard(self, shard: ShardFile, rows: Ints) -> Iterator[str]:
        path = self.out / shard.file
        if not path.is_file():
            return
        if sha256_of(path) != shard.sha256:
            yield f"{shard.file}: its SHA-256 is not the manifest's"
        if (size := path.stat().st_size) != shard.bytes:
            yield f"{shard.file}: {size} bytes, the manifest says {shard.bytes}"
        meant = dict(zip(self.rows.numbers["index"][rows].tolist(), rows.tolist(), strict=True))
        count = 0
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
                example = Example.from_bytes(data)
                if index in meant and (differs := self._differences(example, meant[index])):
                    yield f"{shard.file}: record {index} is not its row's in {', '.join(differs)}"
        except DatasetError as fault:
            yield f"{shard.file}: {fault}"
            return
        if meant and count <= max(meant):
            yield f"{shard.file}: {count} records, the ledger knows of record {max(meant)}"
        if count != shard.records:
            yield f"{shard.file}: {count} records, the manifest says {shard.records}"

    def _differences(self, example: Example, row: int) -> list[str]:
        """Name the fields in which a record is not what its row says."""
        names = [entry.name for entry in self.manifest.classes]
        box, words, numbers = example.box, self.rows.words, self.rows.numbers
        said: Mapping[str, Any] = {
            "label": names[example.label] if example.label < len(names) else None,
            "key": digest(example.key) if self.names.known else None,
            "subject": True,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
        }
        meant: Mapping[str, Any] = {
            "label": words["label"].word(row),
            "key": self.rows.shown[row].tobytes() if self.names.known else None,
            "subject": self.names.is_subject(example.subject, words["subject"].word(row)),
            "sex": words["sex"].word(row) or "",
            "age": int(numbers["age"][row]),
            "box": tuple(float(np.float32(numbers[side][row])) for side in _SIDES),
            "confidence": float(self.rows.confidence[row]),
        }
        return [field for field in said if said[field] != meant[field]]

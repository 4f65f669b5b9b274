"""A built dataset, as its manifest tells it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fertools.data import Split
from fertools.report.census import named
from fertools.report.table import table
from fertools.shards import Manifest


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Where a dataset is, what it holds, and what the user should know of it."""

    out: Path
    manifest: Manifest
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # Python's prompt shows it, and a manifest has thousands of characters.
        kept, members = self.manifest.counts.kept, self.manifest.counts.members
        return f"DatasetReport({str(self.out)!r}, {kept:,} examples of {members:,} entries)"

    def to_dict(self) -> dict[str, Any]:
        """Give the manifest as plain values, for JSON."""
        return asdict(self.manifest)

    def text(self) -> str:
        """Say it for a person: class by split, the drops, where it lies and how to read it."""
        counts = self.manifest.counts
        dropped = sorted(counts.dropped.items(), key=lambda item: (-item[1], item[0]))
        blocks = [self._splits()]
        if dropped:
            total = sum(counts.dropped.values())
            blocks.append(table(("dropped", "entries"), [*dropped, ("all", total)], foot=True))
        blocks += [self._proof(), *self._agreement(), self._summary()]
        return "\n\n".join([*blocks, *(f"warning: {warning}" for warning in self.warnings)])

    def _splits(self) -> str:
        # A manifest read back has its splits in the alphabet's order.
        splits = {s: self.manifest.splits[s] for s in Split if s in self.manifest.splits}
        rows: list[tuple[object, ...]] = []
        for entry in self.manifest.classes:
            row = [contents.classes.get(entry.name, 0) for contents in splits.values()]
            rows.append((named(entry.name, entry.english), *row, sum(row)))
        photos = [contents.records for contents in splits.values()]
        people = [contents.subjects for contents in splits.values()]
        head = ("class", *splits, "all")
        rows.append(("all", *photos, sum(photos)))
        text = table(head, rows, foot=True)
        if any(people):
            text += "\n" + table(head, [*rows, ("people", *people, "")]).splitlines()[-1]
        return text

    def _proof(self) -> str:
        proof = self.manifest.proof
        known, photos = proof.random_leak
        worst = max((abs(p) for row in proof.deviation.values() for p in row), default=0.0)
        lines = [
            f"people in more than one split: {proof.overlap}",
            f"  by chance, {known:,} of {photos:,} test photos would show a person of train",
            f"copies of a picture between people: {proof.ties} pairs, "
            f"{proof.copies_across} of all copies across splits",
            f"worst class: {worst:.2f} points from its share",
        ]
        if proof.augmented:
            lines.append(f"altered copies, all in train: {proof.augmented:,}")
        return "\n".join(lines)

    def _agreement(self) -> list[str]:
        proof = self.manifest.proof
        if not proof.agreement:
            return []
        english = {entry.name: entry.english for entry in self.manifest.classes}
        rows = [
            (
                named(word, english.get(word, word)),
                records,
                _share(two, records),
                _share(all3, records),
            )
            for word, (records, two, all3) in proof.agreement.items()
        ]
        text = table(("name says", "records", "two of three agree", "all three"), rows)
        if proof.unlabelled or proof.unmatched:
            text += (
                f"\n{proof.unlabelled:,} photos have no label record, "
                f"{proof.unmatched:,} records no photo"
            )
        return [text]

    def _summary(self) -> str:
        counts, splits = self.manifest.counts, self.manifest.splits
        shards = [shard for contents in splits.values() for shard in contents.shards]
        size = sum(shard.bytes for shard in shards)
        lines = [
            f"{counts.kept:,} examples of {counts.members:,} entries in {len(shards)} shards, "
            f"{size / 1e6:,.1f} MB, in {self.out}",
            f"every entry's fate: {self.out / self.manifest.ledger.file}",
            "read it: tfds.builder_from_directory"
            f'("{self.out}").as_dataset(split="train", as_supervised=True)',
        ]
        return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"

"""Summarise a built dataset as text, from its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fertools.console import name_pair, percent, table
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from fertools.errors import printable

#: Percentage points. If a class deviates more from its ratio, it has too few photos or people.
_MAX_CLOSE_POINTS: Final = 1


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """A dataset's folder, its manifest, and warnings for the user."""

    out: Path
    manifest: Manifest
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # Python's prompt prints the repr; that of a manifest has thousands of characters.
        kept, members = self.manifest.counts.kept, self.manifest.counts.members
        return f"DatasetReport({str(self.out)!r}, {kept:,} examples of {members:,} entries)"

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain values, for JSON."""
        return asdict(self.manifest)

    def text(self) -> str:
        """Return the summary: classes by split, drops, leakage, files, and how to read them."""
        return "\n\n".join([*self.sections(), *self.warning_lines()])

    def sections(self) -> Iterator[str]:
        """Yield the tables and paragraphs of `text`, the classes by split first."""
        counts = self.manifest.counts
        yield self._splits()
        if dropped := counts.reasons:
            total = sum(counts.dropped.values())
            yield table(("dropped", "entries"), [*dropped, ("all", total)], foot=True)
        yield "\n".join(self.leakage_lines())
        if self.manifest.rule:
            yield f"labels: {self.manifest.rule}"
        yield from self._agreement()
        yield self._summary()

    def warning_lines(self) -> Iterator[str]:
        for warning in self.warnings:
            yield f"warning: {printable(warning)}"

    def _splits(self) -> str:
        # In a manifest that was read from a file, splits are in alphabetical order.
        splits = {s: self.manifest.splits[s] for s in Split if s in self.manifest.splits}
        rows: list[tuple[object, ...]] = []
        for entry in self.manifest.classes:
            row = [contents.classes.get(entry.name, 0) for contents in splits.values()]
            rows.append((name_pair(entry.name, entry.english), *row, sum(row)))
        photos = [contents.records for contents in splits.values()]
        people = [contents.subjects for contents in splits.values()]
        head = ("class", *splits, "all")
        rows.append(("all", *photos, sum(photos)))
        text = table(head, rows, foot=True)
        if any(people):
            text += "\n" + table(head, [*rows, ("people", *people, "")]).splitlines()[-1]
        return text

    def leakage_lines(self) -> Iterator[str]:
        """Yield the figures that show whether the splits leak, a line each."""
        proof = self.manifest.proof
        yield from self._subjects()
        yield (
            f"copies of a picture between people: {proof.ties:,} pairs; "
            f"pictures with copies in more than one split: {proof.copies_across:,}"
        )
        yield from self._worst_class()
        yield from self._absent_classes()
        if proof.augmented:
            yield f"augmented copies, all in train: {proof.augmented:,}"

    def _subjects(self) -> Iterator[str]:
        """Yield lines on subjects in several splits, and on photos without a subject."""
        proof, unknown = self.manifest.proof, self.manifest.unknown_people
        kept, (known, photos) = self.manifest.counts.kept, proof.random_leak
        if unknown < kept:
            yield f"people in more than one split: {proof.overlap:,}"
            by_chance = f"{known:,} of {photos:,} test photos would show a person of train"
            yield f"  after a split by chance, {by_chance}"
        if unknown:
            yield (
                f"photos without a person in their names: {unknown:,} of {kept:,}; "
                "a leak through them cannot be excluded"
            )

    def _worst_class(self) -> Iterator[str]:
        deviation = self.manifest.proof.deviation
        if not deviation:
            return
        points = {name: max(map(abs, row)) for name, row in deviation.items()}
        name = max(points, key=points.__getitem__)
        official = self.manifest.options.get("split") == "official"
        share = "share of Training" if official else "share"
        if points[name] <= _MAX_CLOSE_POINTS:
            yield f"worst class: {points[name]:.2f} points from its {share}"
            return
        count = sum(photos[name] for photos in self.photos().values())
        yield (
            f"worst class: {self.names_of(name)}, {points[name]:.2f} points from its {share}: "
            f"its {count:,} photos are too few, or of too few people, to come closer"
        )

    def _absent_classes(self) -> Iterator[str]:
        """Yield a line for each split that lacks classes of another split."""
        photos = self.photos()
        why = ": too few photos or people for every split" if self.manifest.proof.deviation else ""
        for split, counts in photos.items():
            absent = [n for n in counts if not counts[n] and any(c[n] for c in photos.values())]
            if absent:
                yield f"{split} has no photo of {', '.join(map(self.names_of, absent))}{why}"

    def photos(self) -> dict[str, dict[str, int]]:
        """Count the photos, without augmented copies, by split and class."""
        times = 1 + int(self.manifest.options.get("augment", 0))
        names = [entry.name for entry in self.manifest.classes]
        return {
            str(split): {
                name: contents.classes.get(name, 0) // (times if split is Split.TRAIN else 1)
                for name in names
            }
            for split, contents in self.manifest.filled_splits.items()
        }

    def names_of(self, name: str) -> str:
        """Return a class's name and its English, escaped."""
        english = {entry.name: entry.english for entry in self.manifest.classes}
        return name_pair(name, english.get(name, name))

    def _agreement(self) -> list[str]:
        proof = self.manifest.proof
        if not proof.agreement:
            return []
        rows = [
            (self.names_of(name), records, percent(two, records), percent(three, records))
            for name, (records, two, three) in proof.agreement.items()
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
        out, augmented = printable(str(self.out)), self.manifest.proof.augmented
        made = f" ({counts.kept:,} photos and {augmented:,} augmented copies)" if augmented else ""
        return (
            f"{counts.kept + augmented:,} examples{made} of {counts.members:,} entries in "
            f"{len(shards)} shards, {size / 1e6:,.1f} MB, in {out}\n"
            f"every entry's fate: {out}/{self.manifest.ledger.file}\n"
            f'read it: tfds.builder_from_directory("{out}")'
            '.as_dataset(split="train", as_supervised=True)'
        )

"""Count what is in a dataset: from its manifest, and from its ledger if that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Final

from fertools.console import TABLE_WIDTH, percent, table
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from fertools.dataset.report import DatasetReport
from fertools.errors import DatasetError
from fertools.inspection.counts.counting import CrossTable, FieldColumns, Histogram, parse_fields
from fertools.inspection.counts.ledger import (
    LEDGER_FAULTS,
    LedgerStats,
    LedgerTable,
    manifest_fields,
)
from fertools.inspection.counts.tables import count_table, cross_table, csv_text, people_text
from fertools.pipeline.parts import KEPT

#: The fields of --by; without the ledger only the first two.
FIELDS: Final = (
    *("class", "split", "sex", "age", "place", "container", "outcome", "emotion", "subject"),
)
_OF_MANIFEST: Final = FIELDS[:2]


@dataclass(frozen=True, slots=True)
class ClassStats:
    """One class of a dataset. Photos do not include augmented copies.

    photos     by split; `all` of them, and their share of all photos of the dataset, 0 to 1
    shares     by split, the share of the class's photos that is in it, 0 to 1
    deviation  by split, the percentage points by which this differs from the ratio that was
               asked for; empty where the manifest has none (see LeakageReport)
    weight     for Keras' `class_weight`, from the examples in train; 0 without any
    """

    name: str
    english: str
    photos: dict[str, int]
    all: int
    share: float
    shares: dict[str, float]
    deviation: dict[str, float]
    weight: float


@dataclass(frozen=True, slots=True)
class DatasetStats(DatasetReport):
    """A dataset's folder and manifest with what was counted; `text` and `to_dict` have it all.

    table    the classes, in the order of the labels
    counted  the counts of the ledger, None if it is not there
    by       the cross table of --by
    notes    lines for the user: what is missing, where the plot is
    """

    table: tuple[ClassStats, ...] = ()
    counted: LedgerStats | None = None
    by: CrossTable | None = None
    notes: tuple[str, ...] = ()

    @property
    def class_weights(self) -> dict[int, float]:
        """The weight of each class by its label: `model.fit(class_weight=…)`."""
        return {label: entry.weight for label, entry in enumerate(self.table)}

    @property
    def english_names(self) -> dict[str, str]:
        """The English name of each class."""
        return {entry.name: entry.english for entry in self.table}

    @property
    def class_split(self) -> CrossTable:
        """The photos by class and split."""
        names = [entry.name for entry in self.table]
        return manifest_fields(self.photos(), names).cross_table(_OF_MANIFEST)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest's fields and the counts as plain values; see docs/looking.md."""
        manifest, counts = self.manifest, self.manifest.counts
        empty = dict.fromkeys(LedgerStats.__dataclass_fields__)
        own = {
            "kind": "dataset",
            "table": [asdict(entry) for entry in self.table],
            "class_weights": {str(label): weight for label, weight in self.class_weights.items()},
            "people": {name: split.subjects for name, split in self._in_order()},
            "outcomes": {KEPT: counts.kept, **_by_number(counts.dropped)},
            "ledger_read": self.counted is not None,
            "by": self.by and self.by.to_dict(),
            "notes": list(self.notes),
        }
        counted = self.counted.to_dict() if self.counted else empty
        return asdict(manifest) | own | counted

    def csv(self) -> str:
        """Return the table of --by, or the classes by split, as CSV."""
        if self.by:
            return csv_text((*self.by.fields, self.by.counted), self.by.flat_rows)
        splits = [name for name, _ in self._in_order()]
        head = ("class", "english", *splits, "photos", "share", "weight")
        rows = (
            (each.name, each.english, *each.photos.values(), each.all, each.share, each.weight)
            for each in self.table
        )
        return csv_text(head, rows)

    def text(self) -> str:
        """Return the tables, or that of --by alone, with the warnings and notes."""
        sections = [cross_table(self.by, self.english_names)] if self.by else self._all_sections()
        notes = (f"note: {note}" for note in self.notes)
        return "\n\n".join([*sections, *self.warning_lines(), *notes])

    def _all_sections(self) -> Iterator[str]:
        splits, *others = self.sections()
        yield splits
        yield self._shares()
        if self.counted:
            yield from _counted_sections(self.counted, self.manifest.image.size)
        yield from others

    def _in_order(self) -> list[tuple[str, Any]]:
        """Return the splits with their contents; those of a file are in alphabetical order."""
        splits = self.manifest.splits
        return [(str(name), splits[name]) for name in Split if name in splits]

    def _shares(self) -> str:
        splits = [name for name, contents in self._in_order() if contents.records]
        rows = [
            (
                self.names_of(each.name),
                percent(each.all, sum(entry.all for entry in self.table)),
                *(_share_text(each, name) for name in splits),
                f"{each.weight:.3f}",
            )
            for each in self.table
        ]
        head = ("class", "share", *(f"in {name}" for name in splits), "weight")
        weights = ", ".join(f"{label}: {w:.4g}" for label, w in self.class_weights.items())
        line = fill(f"model.fit(class_weight={{{weights}}})", TABLE_WIDTH, subsequent_indent="    ")
        deviation = "; then points off its ratio" if any(e.deviation for e in self.table) else ""
        return f"{table(head, rows)}\nin a split: share of the class's photos{deviation}\n{line}"


def count_dataset(path: Path, by: Sequence[str] = ()) -> DatasetStats:
    """Count what is in a complete dataset. Raises DatasetError, OptionError."""
    manifest = Manifest.read(path)
    fields = parse_fields(by, FIELDS)
    report = DatasetReport(path, manifest, manifest.warnings)
    counted, table, notes = None, None, tuple[str, ...]()
    try:
        ledger = LedgerTable(path / manifest.ledger.file, manifest)
        table, counted = ledger.fields, ledger.count()
    except LEDGER_FAULTS as fault:
        notes = (_missing(path, manifest, fault),)
    return DatasetStats(
        path,
        manifest,
        manifest.warnings,
        table=_class_stats(report),
        counted=counted,
        by=_cross_table(report, fields, table, notes) if fields else None,
        notes=notes,
    )


def _cross_table(
    report: DatasetReport,
    fields: Sequence[str],
    ledger: FieldColumns | None,
    notes: Sequence[str],
) -> CrossTable:
    """Count by fields in the ledger, or without it in the manifest. Raises DatasetError."""
    if ledger:
        return ledger.cross_table(fields)
    if missing := [name for name in fields if name not in _OF_MANIFEST]:
        raise DatasetError(f"--by {missing[0]} needs the ledger: {notes[0]}")
    names = [entry.name for entry in report.manifest.classes]
    return manifest_fields(report.photos(), names).cross_table(fields)


def _missing(path: Path, manifest: Manifest, fault: Exception) -> str:
    name = manifest.ledger.file
    if not (path / name).exists():
        return f"{name} is not here, only what was passed on: people and faces are not counted"
    reason = " ".join(str(fault).split())[:120]
    return f"{name} cannot be read ({reason}): put a whole copy back; fertools verify says more"


def _class_stats(report: DatasetReport) -> tuple[ClassStats, ...]:
    manifest, photos = report.manifest, report.photos()
    names = [entry.name for entry in manifest.classes]
    total = sum(sum(own.values()) for own in photos.values())
    train = manifest.splits.get(Split.TRAIN)
    weights = train.class_weights(names) if train else [0.0] * len(names)
    splits = [str(split) for split in Split if split in manifest.splits]
    found = []
    for entry, weight in zip(manifest.classes, weights, strict=True):
        own = {name: photos.get(name, {}).get(entry.name, 0) for name in splits}
        everywhere = sum(own.values())
        deviation = manifest.proof.deviation.get(entry.name, ())
        found.append(
            ClassStats(
                entry.name,
                entry.english,
                photos=own,
                all=everywhere,
                share=round(everywhere / max(total, 1), 6),
                shares={name: round(n / max(everywhere, 1), 6) for name, n in own.items()},
                deviation=dict(zip(map(str, Split), deviation, strict=False)),
                weight=round(weight, 6),
            )
        )
    return tuple(found)


def _counted_sections(counted: LedgerStats, size: int) -> Iterator[str]:
    if counted.subjects:
        yield people_text(counted)
        yield count_table("sex", counted.sexes)
        yield count_table("age", counted.ages)
        yield count_table("place", counted.places)
    yield (
        f"{_bins('face, shorter side', counted.face_sizes, '{:,.0f} to {:,.0f} px')}; "
        f"{counted.enlarged:,} are smaller than the crop ({size} px)"
    )
    yield _bins("confidence", counted.confidences, "{:.2f} to {:.2f}")
    if counted.ious:
        yield _bins("IoU with annotators' box", counted.ious, "{:.2f} to {:.2f}")
    yield count_table("faces in the photo", counted.faces_each)
    if counted.repeated:
        yield f"{counted.repeated:,} examples are of a file that is there before, byte for byte"


def _bins(head: str, histogram: Histogram, words: str) -> str:
    rows = {words.format(low, high): count for low, high, count in histogram.rows()}
    text = count_table(head, rows)
    return f"{text}\nmedian {histogram.median:,.4g}, least {histogram.least:,.4g}"


def _share_text(entry: ClassStats, split: str) -> str:
    share = f"{100 * entry.shares[split]:.1f} %"
    return f"{share} {entry.deviation[split]:+.2f}" if split in entry.deviation else share


def _by_number(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

"""List the labels of train and validation that are likely wrong, the likeliest first.

ledger ──▶ photos ──▶ folds of people ──▶ probabilities ──▶ quality ──▶ suspects.csv
shards ──▶ crops      a network each      out of fold       with the votes
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, astuple, dataclass, fields
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Unpack

import numpy as np

from fertools.checking import user_path
from fertools.columns import Ints
from fertools.console import table
from fertools.dataset.manifest import SUSPECTS, WORK_DIR, Manifest
from fertools.errors import DependencyError, OptionError, OutputError, printable
from fertools.files import sha256_of, write_whole
from fertools.inference.out_of_fold import lock, predict_out_of_fold
from fertools.inference.photos import Photos
from fertools.inference.wrong_labels import Floats, count_wrong, posterior, quality
from fertools.keywords import SuspectsKeywords
from fertools.options import SuspectsOptions

#: The file in WORK_DIR with the SHA-256 of suspects.csv as it was written.
_DIGEST: Final = "suspects.sha256"

#: Lines that the command prints.
_PRINTED: Final = 20


@dataclass(frozen=True, slots=True)
class Suspect:
    """One photo; the fields are the columns of suspects.csv.

    key        the member of the archive, as in the ledger
    label      its class in the dataset, and `suggested` the likeliest class
    quality    the probability that the label is right, 0 to 1
    corrected, who, why   empty, for a person: --labels FILE.csv reads them
    votes      how many annotators chose each class, such as "슬픔 2, 불안 1"; "" without any
    subject    the person, "" if unknown
    split, shard, index   location of its example, as in the ledger
    """

    key: str
    label: str
    suggested: str
    quality: float
    corrected: str
    who: str
    why: str
    votes: str
    subject: str
    split: str
    shard: int
    index: int


@dataclass(frozen=True, slots=True)
class Suspects:
    """The photos of train and validation, ranked.

    file     suspects.csv
    rule     of --labels, by which the dataset was built; corrections are given beside it
    photos   how many were judged
    people   how many people they show; a photo without a person counts as one
    wrong    how many labels are wrong, by confident learning's estimate
    rows     those of `file`, the worst first
    """

    file: Path
    rule: str
    photos: int
    people: int
    wrong: int
    rows: tuple[Suspect, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the path."""
        tree = asdict(self)
        del tree["file"]
        return tree

    def text(self) -> str:
        first = self.rows[:_PRINTED]
        file, out = (printable(str(path)) for path in (self.file, self.file.parent))
        cells = [(r.label, r.suggested, f"{r.quality:.3f}", r.votes) for r in first]
        lines = table(("label", "suggested", "quality", "votes"), cells).splitlines()
        keys = ("photo", "─────", *(printable(r.key) for r in first))
        labels = file if self.rule == "name" else f"{self.rule}+{file}"
        return "\n\n".join(
            [
                f"about {self.wrong:,} of {self.photos:,} labels of train and validation are wrong",
                "\n".join(f"{line}  {key}" for line, key in zip(lines, keys, strict=True)),
                f"the first {len(first)} of {len(self.rows):,} rows of {file}; next: look at "
                f"them (fertools report {out} shows the first), fill in "
                "the column corrected, a class or drop, where the label is wrong, and build again "
                f"with --labels {labels} --overwrite",
            ]
        )


def suspects(out: Path | str, **options: Unpack[SuspectsKeywords]) -> Suspects:
    """Rank the labels of train and validation by how likely they are wrong.

    options   the fields of SuspectsOptions: folds=5, epochs=20, …

    Each photo is judged by a network that has not seen its person, and by the annotators' votes
    where there are any. Test is neither read nor judged. Writes OUT/suspects.csv. The same call
    continues after an interruption. Raises DependencyError without cleanlab, OptionError for fewer
    people than folds, DatasetError for a dataset that is damaged or has no ledger, OutputError
    where OUT cannot be written or a build is running.
    """
    out, chosen = user_path(out, "out"), SuspectsOptions.of(options)
    manifest = Manifest.read(out)
    if find_spec("cleanlab") is None:
        raise DependencyError('suspects needs cleanlab: pip install "fertools[labels]"')
    with lock(out):
        _check_unedited(out)
        photos = Photos.read(out, manifest)
        _check(photos, chosen.folds)
        probabilities = predict_out_of_fold(out, manifest, photos, chosen)
        judged = posterior(probabilities, photos.labels, photos.votes)
        rows = rank(photos, judged, chosen.max_per_subject)
        found = Suspects(
            file=out / SUSPECTS,
            rule=str(manifest.options.get("labels", "name")).partition("+")[0],
            photos=len(photos),
            people=len(np.unique(photos.people)),
            wrong=count_wrong(photos.labels, judged),
            rows=tuple(_suspects(photos, judged, rows)),
        )
        data = _csv(found.rows)
        write_whole(out / WORK_DIR / _DIGEST, sha256(data).hexdigest().encode())
        write_whole(found.file, data)
    return found


def _check_unedited(out: Path) -> None:
    """Raise OutputError if suspects.csv is not as it was written: it may hold corrections."""
    file, digest = out / SUSPECTS, out / WORK_DIR / _DIGEST
    written = digest.read_text("ascii") if digest.is_file() else ""
    if file.is_file() and sha256_of(file) != written:
        raise OutputError(f"{file} was edited: rename it, so that your changes are not overwritten")


def _check(photos: Photos, folds: int) -> None:
    people = len(np.unique(photos.people))
    if people < 2 or len(np.unique(photos.labels)) < 2:
        raise OptionError(
            f"train and validation show {people} people and "
            f"{len(np.unique(photos.labels))} classes: suspects needs two of each"
        )
    if people < folds:
        raise OptionError(
            f"train and validation show {people} people, too few for --folds {folds}: "
            f"give --folds {people} or less"
        )


def rank(photos: Photos, posterior: Floats, most: int | None) -> Ints:
    """Return the rows of the photos, the worst label first, at most `most` of a person."""
    order = np.argsort(quality(photos.labels, posterior), kind="stable")
    if most is None:
        return order
    seen: Counter[int] = Counter()
    kept = []
    for row, person in zip(order.tolist(), photos.people[order].tolist(), strict=True):
        seen[person] += 1
        if seen[person] <= most:
            kept.append(row)
    return np.array(kept, np.int64)


def _suspects(photos: Photos, posterior: Floats, rows: Ints) -> list[Suspect]:
    names = photos.classes
    chosen = photos.table.take(rows).to_pylist()
    labels, votes = photos.labels[rows].tolist(), photos.votes[rows].tolist()
    found = []
    for row, label, said, shares in zip(chosen, labels, votes, posterior[rows], strict=True):
        found.append(
            Suspect(
                key=row["key"],
                label=names[label],
                suggested=names[int(shares.argmax())],
                quality=round(float(shares[label]), 6),
                corrected="",
                who="",
                why="",
                votes=_votes_text(names, said),
                subject=row["subject"] or "",
                split=row["split"],
                shard=row["shard"],
                index=row["index"],
            )
        )
    return found


def _votes_text(names: tuple[str, ...], votes: list[int]) -> str:
    """Return the votes, the most frequent first: "슬픔 2, 불안 1"."""
    pairs = sorted(zip(votes, names, strict=True), key=lambda pair: -pair[0])
    return ", ".join(f"{name} {count}" for count, name in pairs if count)


def _csv(rows: tuple[Suspect, ...]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Suspect)])
    writer.writerows(map(astuple, rows))
    return text.getvalue().encode("utf-8", "backslashreplace")

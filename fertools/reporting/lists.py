"""Choose the single examples that the lists of a report show.

least      the faces with the lowest confidence of the detector
disputed   examples whose class has less than half of the votes
suspects   the first lines of OUT/suspects.csv, which `fertools suspects` writes
mistakes   the most confident mistakes of the network
pairs      the most similar crops of different people
REASON     some of the entries that were dropped for this reason
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.dataset.manifest import SUSPECTS
from fertools.errors import DatasetError
from fertools.pipeline.parts import KEPT
from fertools.reporting.network import Predictions
from fertools.reporting.pairs import nearest_pairs
from fertools.reporting.rows import Choice, Scan
from fertools.reporting.thumbnails import Grays

#: Examples in a list, pairs, and entries for each reason: with the wall fewer than 300 tiles.
LENGTH: Final = 18
_PAIRS: Final = 9
_DROPS: Final = 5


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list: ledger rows side by side, and a line below them; "" for their votes."""

    rows: tuple[int, ...]
    caption: str


Lists = Mapping[str, Sequence[Item]]


def choose_lists(
    scan: Scan, out: Path, classes: Sequence[str], predictions: Predictions | None
) -> dict[str, list[Item]]:
    """Choose the lists that need no picture, from all rows of the ledger."""
    least = scan.least_confident(LENGTH)
    disputed = scan.most_disputed(LENGTH)
    lists = {
        "least": [Item((row,), f"{scan.confidence[row]:.3f}") for row in least.tolist()],
        "disputed": [Item((row,), "") for row in disputed.tolist()],
        "suspects": _suspects(scan, out / SUSPECTS),
    }
    if predictions is not None:
        lists["mistakes"] = _mistakes(scan, predictions, classes)
    return {name: items for name, items in lists.items() if items}


def _suspects(scan: Scan, file: Path) -> list[Item]:
    """Return the first suspects; [] without a file. Raises DatasetError for another file."""
    if not file.is_file():
        return []
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            first = [row for row, _ in zip(csv.DictReader(lines), range(LENGTH), strict=False)]
        texts = [
            f"{row['label']} → {row['suggested']}, {float(row['quality']):.2f}" for row in first
        ]
        rows = scan.rows_of([row["key"] for row in first])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise DatasetError(
            f"{file} is not a list of suspects ({fault}): run fertools suspects again"
        ) from fault
    pairs = zip(rows, texts, strict=True)
    return [Item((row,), text) for row, text in pairs if row is not None]


def _mistakes(scan: Scan, predictions: Predictions, classes: Sequence[str]) -> list[Item]:
    items = []
    for number in predictions.worst(LENGTH):
        row = scan.row_at(predictions.locations[number])
        shares = predictions.probabilities[number]
        label, predicted = classes[predictions.labels[number]], classes[int(shares.argmax())]
        if row is not None:
            items.append(Item((row,), f"{label} → {predicted}, {shares.max():.2f}"))
    return items


def dropped_lists(scan: Scan, choice: Choice) -> dict[str, list[Item]]:
    """Return some entries of each reason, out of those on the wall."""
    lists: dict[str, list[Item]] = {}
    for row in choice.rows[: choice.wall].tolist():
        reason = str(scan.outcomes[row])
        if reason != KEPT and len(lists.setdefault(reason, [])) < _DROPS:
            lists[reason].append(Item((row,), scan.keys[row]))
    return lists


def pair_list(choice: Choice, table: pa.Table, grays: Mapping[int, Grays]) -> list[Item]:
    """Return the most similar crops of different people among the examples of a page.

    grays   thumbnails by the row's position on the page
    """
    if not grays:
        return []
    positions = sorted(grays)
    pictures: NDArray[np.uint8] = np.stack([grays[position] for position in positions])
    people = _people(table["subject"].take(pa.array(positions)).to_pylist())
    pairs = nearest_pairs(pictures, people, count=_PAIRS)
    rows = choice.rows[positions]
    return [
        Item((int(rows[pair.first]), int(rows[pair.second])), f"similarity {pair.similarity:.2f}")
        for pair in pairs
    ]


def _people(subjects: Sequence[str | None]) -> Ints:
    """Number people; a photo without a subject is a person of its own."""
    numbers: dict[Any, int] = {}
    names = (name or row for row, name in enumerate(subjects))
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)

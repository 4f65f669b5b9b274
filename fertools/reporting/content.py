"""Collect everything that a page shows, and write it as the data that page.js reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fertools.console import Progress
from fertools.dataset.manifest import Manifest
from fertools.errors import DatasetError
from fertools.inspection.stats import stats
from fertools.options import ReportOptions
from fertools.reporting.columns import Column, columns
from fertools.reporting.embed import PACK
from fertools.reporting.figures import Figures
from fertools.reporting.lists import Item, choose_lists, dropped_lists, pair_list
from fertools.reporting.network import Network, Predictions
from fertools.reporting.rows import Choice, Scan, read_rows
from fertools.reporting.thumbnails import Grays, read_dropped, read_grays


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a page shows.

    figures  what `stats --json` prints; without photos no containers: people may be their names
    table    ledger rows of the page, in the order of `choice`
    grays    thumbnails by the row of the table
    lists    what lists show, by their names
    """

    options: ReportOptions
    manifest: Manifest
    figures: Figures
    network: Network | None
    choice: Choice
    table: pa.Table
    grays: dict[int, Grays]
    lists: dict[str, list[Item]]

    @classmethod
    def read(cls, out: Path, options: ReportOptions) -> Content:
        """Read a dataset, and the run and the archive that the options name."""
        manifest = Manifest.read(out)
        ledger, classes = manifest.ledger_in(out), [entry.name for entry in manifest.classes]
        figures = stats(out).to_dict()
        if not options.photos:
            figures["containers"] = []
        network = Network.read(Path(options.run), out) if options.run else None
        scan = Scan.of(ledger, classes)
        if len(scan.keys) != manifest.ledger.rows:
            raise DatasetError(f"{ledger} is not the ledger of this dataset: run fertools verify")
        predictions = network.predictions if network else None
        lists = choose_lists(scan, out, classes, predictions) if options.photos else {}
        listed = [item.rows for items in lists.values() for item in items]
        choice = Choice.of(scan, listed, maximum=options.max_photos)
        table = read_rows(ledger, choice.rows)
        grays = _grays(out, manifest, table, options) if options.photos else {}
        if options.photos:
            on_wall = {row: gray for row, gray in grays.items() if row < choice.wall}
            lists["pairs"] = pair_list(choice, table, on_wall)
            dropped = dropped_lists(scan, choice)
            lists |= {f"drop-{name}": items for name, items in dropped.items()}
            grays |= _dropped_grays(options.source, scan, choice, dropped)
        return cls(options, manifest, figures, network, choice, table, grays, lists)

    @property
    def predictions(self) -> Predictions | None:
        """The predictions of the run, if there are any."""
        return self.network.predictions if self.network else None

    def _columns(self) -> Iterator[Column]:
        yield from columns(self.table, names=self.options.photos)
        if self.predictions:
            yield {"name": "probabilities", "values": self._probabilities(self.predictions)}

    def _probabilities(self, predictions: Predictions) -> list[list[float] | None]:
        """Return the network's probabilities of each row, None where it was not evaluated."""
        number = {place: i for i, place in enumerate(predictions.locations)}
        rounded = np.round(predictions.probabilities, 3).tolist()
        places = zip(*(self.table[n].to_pylist() for n in ("split", "shard", "index")), strict=True)
        return [rounded[number[place]] if place in number else None for place in places]

    def tree(self, lengths: list[int]) -> dict[str, Any]:
        """Return what page.js reads; `lengths` are those of the pictures, by row."""
        places = self.choice.places()
        return {
            "count": len(self.table),
            "wall": self.choice.wall,
            "classes": [{"name": c.name, "english": c.english} for c in self.manifest.classes],
            "columns": list(self._columns()),
            "pack": PACK,
            "lengths": lengths,
            "lists": {
                name: [
                    {"rows": [places[row] for row in item.rows], "caption": item.caption}
                    for item in items
                ]
                for name, items in self.lists.items()
            },
        }


def _grays(
    out: Path, manifest: Manifest, table: pa.Table, options: ReportOptions
) -> dict[int, Grays]:
    examples = len(table) - table["split"].null_count
    with Progress("report", examples, unit="crops", quiet=options.quiet) as progress:
        return dict(_counted(read_grays(out, manifest, table), progress))


def _dropped_grays(
    source: str | None, scan: Scan, choice: Choice, lists: dict[str, list[Item]]
) -> dict[int, Grays]:
    """Return thumbnails of the dropped entries in lists, if the archive is given."""
    if source is None:
        return {}
    rows = [row for items in lists.values() for item in items for row in item.rows]
    places = choice.places()
    return dict(read_dropped(Path(source), {scan.keys[row]: places[row] for row in rows}))


def _counted(items: Iterable[tuple[int, Grays]], progress: Progress) -> Iterator[tuple[int, Grays]]:
    for item in items:
        progress.add(1)
        yield item

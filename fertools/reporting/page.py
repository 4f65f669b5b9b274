"""Compose the page of a report, and write it.

    stats ──▶ figures ─┐
    ledger ─▶ rows ────┼──▶ page.html ──▶ FILE, whole or absent
    shards ─▶ pictures ┤
    RUN ────▶ network ─┘

Equal datasets, options and libraries give equal bytes: there is no time and no path in a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Unpack
from xml.etree.ElementTree import Element

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fertools.checking import user_path
from fertools.console import Progress
from fertools.dataset.manifest import Manifest
from fertools.errors import DatasetError, OptionError, OutputError
from fertools.files import write_whole
from fertools.inspection.stats import stats
from fertools.keywords import ReportKeywords
from fertools.options import ReportOptions
from fertools.pipeline.parts import KEPT
from fertools.reporting import embed, sections
from fertools.reporting.columns import Column, columns
from fertools.reporting.figures import Figures, dataset_charts, leak_charts
from fertools.reporting.lists import Item, choose_lists, dropped_lists, pair_list
from fertools.reporting.markup import node, to_html
from fertools.reporting.network import Network
from fertools.reporting.results import headline, network_charts
from fertools.reporting.rows import Choice, Scan, read_rows
from fertools.reporting.thumbnails import Grays, encode, read_dropped, read_grays
from fertools.training.curves import overfitting_text

DEFAULT: Final = "report.html"

#: The line in page.html by which a page is known: only such a file is replaced.
_MARK: Final = b'content="fertools report"'
_MARK_WITHIN: Final = 1024


@dataclass(frozen=True, slots=True)
class Report:
    """The page that was written.

    bytes      size of the file
    photos     whether it has photos and names
    examples   examples on its wall, of `kept` in the dataset
    notes      what could not be shown, a line each
    """

    file: Path
    bytes: int
    photos: bool
    examples: int
    kept: int
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        kind = (
            "it shows faces and names: keep it on this machine, or use --no-photos to share it"
            if self.photos
            else "it has no photo, no file name and no person"
        )
        head = (
            f"{self.file}: {self.bytes / 1e6:.1f} MB, "
            f"{self.examples:,} of {self.kept:,} examples on the wall; open it in a browser"
        )
        return "\n".join([head, kind, *(f"note: {note}" for note in self.notes)])


def report(
    out: Path | str, file: Path | str = DEFAULT, **options: Unpack[ReportKeywords]
) -> Report:
    """Write a dataset as one HTML page with all figures and a wall of crops, for any browser.

    file      the page; an older report of this name is replaced
    options   the fields of ReportOptions: run=None, source=None, photos=True,
              max_photos=20_000, quiet=False

    Raises DatasetError if `out` is no complete dataset, or for a damaged file of it or of the run;
    OutputError if the page cannot be written, or the file is something else than a report.
    """
    out, file, chosen = user_path(out, "out"), user_path(file, "file"), ReportOptions.of(options)
    _check_file(file)
    content = _Content.read(out, chosen)
    data = content.html().encode()
    write_whole(file, data)
    notes = content.network.notes if content.network else ()
    kept = content.manifest.counts.kept
    return Report(file, len(data), chosen.photos, content.choice.examples, kept, notes)


def _check_file(file: Path) -> None:
    """Raise an error, before the work, unless the page can be written there."""
    if file.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"{file} is not a name for a page: let it end in .html")
    if not file.parent.is_dir():
        raise OutputError(f"{file.parent} is not a folder: make it first, or give another FILE")
    if file.is_dir():
        raise OutputError(f"{file} is a folder: give another FILE")
    if file.exists():
        with file.open("rb") as old:
            if _MARK not in old.read(_MARK_WITHIN):
                raise OutputError(f"{file} is no report of fertools: give another FILE")


@dataclass(frozen=True)
class _Content:
    """Everything that a page shows.

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
    def read(cls, out: Path, options: ReportOptions) -> _Content:
        manifest, figures = Manifest.read(out), stats(out).to_dict()
        network = Network.read(Path(options.run), out) if options.run else None
        ledger, classes = out / manifest.ledger.file, [entry.name for entry in manifest.classes]
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

    def html(self) -> str:
        """Return the page."""
        pictures = dict(zip(self.grays, encode([*self.grays.values()]), strict=True))
        lengths, packs = embed.packs([pictures.get(row, b"") for row in range(len(self.table))])
        parts = {name: to_html(*elements) for name, elements in self._sections().items()}
        return embed.page(
            parts
            | {
                "json": embed.inert_json(self._figures),
                "data": embed.packed_json(self._tree(lengths)),
                "packs": "\n".join(packs),
            }
        )

    @cached_property
    def _figures(self) -> Figures:
        """What `stats --json` prints; names of folders and zips may be those of people."""
        return self.figures if self.options.photos else self.figures | {"containers": []}

    @cached_property
    def _columns(self) -> list[Column]:
        own = list(columns(self.table, names=self.options.photos))
        if self.network and self.network.predictions:
            own.append({"name": "probabilities", "values": self._probabilities()})
        return own

    def _probabilities(self) -> list[list[float] | None]:
        """Return the network's probabilities of each row, None where it was not evaluated."""
        predictions = self.network.predictions if self.network else None
        if predictions is None:
            return [None] * len(self.table)
        number = {place: i for i, place in enumerate(predictions.locations)}
        rounded = np.round(predictions.probabilities, 3).tolist()
        places = zip(*(self.table[n].to_pylist() for n in ("split", "shard", "index")), strict=True)
        return [rounded[number[place]] if place in number else None for place in places]

    def _tree(self, lengths: list[int]) -> dict[str, Any]:
        """Return what page.js reads."""
        return {
            "count": len(self.table),
            "wall": self.choice.wall,
            "classes": [{"name": c.name, "english": c.english} for c in self.manifest.classes],
            "columns": self._columns,
            "pack": embed.PACK,
            "lengths": lengths,
            "lists": {
                name: [
                    {"rows": self.choice.positions(item.rows), "caption": item.caption}
                    for item in items
                ]
                for name, items in self.lists.items()
            },
        }

    def _sections(self) -> dict[str, list[Element]]:
        """Return the parts of page.html, except what page.js reads."""
        shown = [n for n in sections.LISTS if self.lists.get(n) and n != "mistakes"]
        dropped = self.manifest.counts.dropped
        body = {
            "summary": [sections.summary(self._figures)],
            "figures": [self._charts()],
            "crops": [self._wall()],
            "lists": [*map(sections.list_section, shown)],
            "network": [*self._network()],
            "proof": [self._proof()],
            "versions": [sections.versions(self._figures)],
        }
        if dropped and self.options.photos:
            reasons = dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0])))
            body["lists"].append(sections.drops(reasons))
        links = [
            (each.get("id", ""), each.findtext(".//h2") or "")
            for own in body.values()
            for each in own
        ]
        title = node("title", f"Dataset {self.manifest.name}")
        head = sections.head(self._figures, links, photos=self.options.photos)
        return body | {"title": [title], "head": [head]}

    def _charts(self) -> Element:
        lead = "The numbers of fertools stats; each chart has a table of them."
        charts = node("div", *dataset_charts(self._figures), class_="charts")
        return sections.section("figures-section", "Figures", lead, charts)

    def _wall(self) -> Element:
        kept, outcomes = self.manifest.counts.kept, self.table["outcome"].slice(0, self.choice.wall)
        dropped = sum(self.manifest.counts.dropped.values())
        some = int(pc.sum(pc.not_equal(outcomes, KEPT)).as_py() or 0)
        chosen = f"{self.choice.examples:,} of {kept:,} examples"
        if self.choice.examples < kept:
            chosen += ", chosen by a hash of their names,"
        chosen += f" and {some:,} of {dropped:,} dropped entries."
        names = ("split", "sex", "age", "outcome", "votes")
        values = {name: self.table[name].to_pylist() for name in names}
        predicted = any(own["name"] == "probabilities" for own in self._columns)
        return sections.crops(
            values, self._figures, chosen=chosen, keys=self.options.photos, predicted=predicted
        )

    def _network(self) -> Iterator[Element]:
        if self.network is None:
            return
        metrics = next(iter(self.network.evaluations.values()), None)
        lead = headline(metrics) if metrics else "The network that was trained from this dataset."
        remark = overfitting_text(self.network.history)
        notes = [node("p", note, class_="notice") for note in self.network.notes]
        notes += [node("p", f"{remark[0].upper()}{remark[1:]}.", class_="remark")] if remark else []
        charts = node("div", *network_charts(self.network), class_="charts")
        yield sections.section("network", "The network", lead, *notes, charts)
        if self.lists.get("mistakes"):
            yield sections.list_section("mistakes")

    def _proof(self) -> Element:
        lead = "What shows that no person and no picture is in two splits."
        charts = node("div", *leak_charts(self._figures), class_="charts")
        return sections.section("proof", "Split proof", lead, charts, sections.proof(self._figures))


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
    keys = (scan.keys[row] for row in rows)
    return dict(read_dropped(Path(source), dict(zip(keys, choice.positions(rows), strict=True))))


def _counted(items: Iterable[tuple[int, Grays]], progress: Progress) -> Iterator[tuple[int, Grays]]:
    for item in items:
        progress.add(1)
        yield item

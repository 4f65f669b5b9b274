"""Compose the page of a report, and write it.

    stats ──▶ figures ─┐
    ledger ─▶ rows ────┼──▶ page.html ──▶ FILE, whole or absent
    shards ─▶ pictures ┤
    RUN ────▶ network ─┘

Equal datasets, options and libraries give equal bytes: there is no time and no path in a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Unpack
from xml.etree.ElementTree import Element

import pyarrow.compute as pc

from fertools.checking import user_path
from fertools.errors import OptionError, OutputError
from fertools.files import check_place, write_whole
from fertools.keywords import ReportKeywords
from fertools.options import ReportOptions
from fertools.pipeline.parts import KEPT
from fertools.reporting import embed, sections
from fertools.reporting.content import Content
from fertools.reporting.figures import dataset_charts, leak_charts
from fertools.reporting.markup import node, to_html
from fertools.reporting.results import headline, network_charts
from fertools.reporting.thumbnails import encode
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
    content = Content.read(out, chosen)
    data = html_of(content).encode()
    write_whole(file, data)
    notes = content.network.notes if content.network else ()
    kept = content.manifest.counts.kept
    return Report(file, len(data), chosen.photos, content.choice.examples, kept, notes)


def _check_file(file: Path) -> None:
    """Raise an error, before the work, unless the page can be written there."""
    if file.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"{file} is not a name for a page: let it end in .html")
    check_place(file)
    if file.exists():
        with file.open("rb") as old:
            if _MARK not in old.read(_MARK_WITHIN):
                raise OutputError(f"{file} is no report of fertools: give another FILE")


def html_of(content: Content) -> str:
    """Return the page."""
    pictures = dict(zip(content.grays, encode([*content.grays.values()]), strict=True))
    lengths, packs = embed.packs([pictures.get(row, b"") for row in range(len(content.table))])
    parts = {name: to_html(*elements) for name, elements in _sections(content).items()}
    return embed.page(
        parts
        | {
            "json": embed.inert_json(content.figures),
            "data": embed.packed_json(content.tree(lengths)),
            "packs": "\n".join(packs),
        }
    )


def _sections(content: Content) -> dict[str, list[Element]]:
    """Return the parts of page.html, except what page.js reads."""
    shown = [n for n in sections.LISTS if content.lists.get(n) and n != "mistakes"]
    dropped = content.manifest.counts.dropped
    body = {
        "summary": [sections.summary(content.figures)],
        "figures": [_charts(content)],
        "crops": [_wall(content)],
        "lists": [*map(sections.list_section, shown)],
        "network": [*_network(content)],
        "proof": [_proof(content)],
        "versions": [sections.versions(content.figures)],
    }
    if dropped and content.options.photos:
        reasons = dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0])))
        body["lists"].append(sections.drops(reasons))
    links = [
        (each.get("id", ""), each.findtext(".//h2") or "") for own in body.values() for each in own
    ]
    title = node("title", f"Dataset {content.manifest.name}")
    head = sections.head(content.figures, links, photos=content.options.photos)
    return body | {"title": [title], "head": [head]}


def _charts(content: Content) -> Element:
    lead = "The numbers of fertools stats; each chart has a table of them."
    charts = node("div", *dataset_charts(content.figures), class_="charts")
    return sections.section("figures-section", "Figures", lead, charts)


def _wall(content: Content) -> Element:
    counts, choice = content.manifest.counts, content.choice
    outcomes = content.table["outcome"].slice(0, choice.wall)
    dropped = int(pc.sum(pc.not_equal(outcomes, KEPT)).as_py() or 0)
    chosen = f"{choice.examples:,} of {counts.kept:,} examples"
    if choice.examples < counts.kept:
        chosen += ", chosen by a hash of their names,"
    chosen += f" and {dropped:,} of {sum(counts.dropped.values()):,} dropped entries."
    names = ("split", "sex", "age", "outcome", "votes")
    values = {name: content.table[name].to_pylist() for name in names}
    predicted = content.predictions is not None
    return sections.crops(
        values, content.figures, chosen=chosen, keys=content.options.photos, predicted=predicted
    )


def _network(content: Content) -> Iterator[Element]:
    if content.network is None:
        return
    metrics = next(iter(content.network.evaluations.values()), None)
    lead = headline(metrics) if metrics else "The network that was trained from this dataset."
    remark = overfitting_text(content.network.history)
    notes = [node("p", note, class_="notice") for note in content.network.notes]
    notes += [node("p", f"{remark[0].upper()}{remark[1:]}.", class_="remark")] if remark else []
    charts = node("div", *network_charts(content.network), class_="charts")
    yield sections.section("network", "The network", lead, *notes, charts)
    if content.lists.get("mistakes"):
        yield sections.list_section("mistakes")


def _proof(content: Content) -> Element:
    lead = "What shows that no person and no picture is in two splits."
    charts = node("div", *leak_charts(content.figures), class_="charts")
    return sections.section("proof", "Split proof", lead, charts, sections.proof(content.figures))

"""Make the sections of the page around its charts: head, tiles, filter, lists, tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from fertools.console import name_pair
from fertools.data import Split
from fertools.pipeline.parts import KEPT
from fertools.reporting.figures import Figures
from fertools.reporting.markup import Child, cell_text, node, table

#: The notice at the top of the page.
_WITH_PHOTOS: Final = (
    "This page contains photos of faces and their file names, which name people. AI-Hub's terms "
    "forbid passing the photos on: keep it on this machine. To share a page, make it with "
)
_WITHOUT_PHOTOS: Final = (
    "This page contains no photo, no file name and nothing that names a person: it may be shared "
    "as far as the terms of the photos allow. It was made with "
)

#: The lists in their order: the title, and what it shows.
LISTS: Final = {
    "least": (
        "Least confident faces",
        "Of all examples, those whose faces have the lowest confidence of the detector.",
    ),
    "disputed": (
        "Disputed labels",
        "Of all examples, those whose class has the smallest share of the votes, below half.",
    ),
    "suspects": (
        "Suspects",
        "The first lines of suspects.csv: the label, the class suggested instead, and the "
        "quality of the label from 0 to 1.",
    ),
    "mistakes": (
        "Most confident mistakes of the network",
        "The class in the dataset, the predicted class, and the confidence of the prediction.",
    ),
    "pairs": (
        "Most similar faces of different people",
        "Of the examples on the wall, the most similar crops of two people. 1 is the same "
        "picture; a build connects people whose whole photos are similar by 0.75 or more.",
    ),
}

_SORTS: Final = {
    "": "mixed",
    "confidence": "confidence, lowest first",
    "-confidence": "confidence, highest first",
    "size": "size, smallest first",
    "-size": "size, largest first",
    "agreement": "agreement, lowest first",
}


def section(name: str, title: str, lead: str, *children: Child) -> Element:
    """Return a section with a heading and a line of text below it."""
    header = node("header", node("h2", title, id=f"{name}-title"), node("p", lead, class_="lead"))
    return node("section", header, *children, id=name, aria_labelledby=f"{name}-title")


def head(figures: Figures, links: Iterable[tuple[str, str]], *, photos: bool) -> Element:
    """Return the top of the page: the dataset's name, whether it may be shared, and the links."""
    classes = len(figures["classes"])
    about = (
        f"{figures['counts']['kept']:,} examples of {classes} classes from "
        f"{figures['counts']['members']:,} entries of the archive · version {figures['version']} · "
        f"built with fertools {figures['fertools']}"
    )
    items = (node("a", title, href=f"#{name}") for name, title in links)
    notice = node(
        "p",
        _WITH_PHOTOS if photos else _WITHOUT_PHOTOS,
        node("code", "--no-photos"),
        ".",
        class_="notice" if photos else "notice open",
    )
    heading = node("h1", f"Dataset {figures['name']}")
    inner = node(
        "div",
        heading,
        node("p", about, class_="soft"),
        notice,
        node("nav", *items, aria_label="Sections"),
    )
    return node("header", inner, class_="top")


def summary(figures: Figures) -> Element:
    """Return tiles with the figures that matter most, and the warnings of the build."""
    proof, counts = figures["proof"], figures["counts"]
    shards = [shard for split in figures["splits"].values() for shard in split["shards"]]
    facts = [
        (counts["kept"], "examples"),
        (figures["subjects"] or 0, "people"),
        (len(figures["classes"]), "classes"),
        (sum(counts["dropped"].values()), "entries dropped"),
        (proof["overlap"], "people in more than one split"),
        (proof["copies_across"], "pictures in more than one split"),
        (f"{sum(shard['bytes'] for shard in shards) / 1e6:,.1f} MB", f"in {len(shards):,} shards"),
    ]
    tiles = node(
        "ul",
        *(node("li", node("b", cell_text(value)), node("span", name)) for value, name in facts),
        class_="tiles",
    )
    lines = [node("li", warning) for warning in figures["warnings"]]
    warnings = [node("ul", *lines, class_="warnings", aria_label="Warnings")] if lines else []
    heading = node("h2", "Summary", id="summary-title", class_="skip")
    return node("section", heading, tiles, *warnings, id="summary", aria_labelledby="summary-title")


def crops(
    columns: dict[str, list[Any]], figures: Figures, *, chosen: str, keys: bool, predicted: bool
) -> Element:
    """Return the wall with its filter; columns hold the values of the rows on it.

    chosen      a sentence: how many of how many
    keys        whether the page has keys
    predicted   whether it has predictions of a network
    """
    form = node(
        "form",
        *_selects(columns, figures),
        *_ranges(columns),
        *_extras(keys=keys, predicted=predicted),
        id="filter",
        class_="filter",
        aria_label="Filter of the wall",
    )
    matching = node("span", node("output", "…", id="matching", for_="filter"), " match")
    borders = node(
        "span",
        *(node("span", node("span", class_=f"swatch s{i}"), s) for i, s in enumerate(Split)),
        class_="borders soft",
    )
    count = node("div", matching, borders, class_="count")
    space = node("div", class_="space", role="presentation")
    wall = node("div", space, id="wall", role="grid", aria_label="Crops")
    wait = node("p", "Reading the data of the page …", class_="wait")
    noscript = node(
        "noscript", node("p", "The wall and the lists need JavaScript; the figures do not.")
    )
    lead = f"{chosen} Arrow keys move, Enter opens the details, / goes to the filter."
    return section("crops", "The wall", lead, noscript, wait, form, count, wall)


def _selects(columns: dict[str, list[Any]], figures: Figures) -> Iterator[Element]:
    english = {entry["name"]: entry["english"] for entry in figures["classes"]}
    yield _select("class", "class", {name: name_pair(name, english[name]) for name in english})
    yield _select("split", "split", _options(columns["split"], [*map(str, Split)]))
    yield _select("sex", "sex", _options(columns["sex"]))
    yield _select("age", "age", _options(columns["age"]))
    outcomes = _options(columns["outcome"], [KEPT])
    yield _select("outcome", "outcome", outcomes, default=KEPT)


def _options(values: Sequence[Any], first: Sequence[str] = ()) -> dict[str, str]:
    """Return the values that occur as options: those of `first` in its order, then the others."""
    found = sorted({str(value) for value in values if value not in (None, "")})
    ordered = [word for word in first if word in found] + [w for w in found if w not in first]
    return {word: word.replace("_", " ") for word in ordered}


def _select(name: str, label: str, options: dict[str, str], default: str = "") -> Element:
    choices = {"": "all"} | options if name != "sort" else options
    items = (
        node("option", text, value=value, selected="" if value == default else None)
        for value, text in choices.items()
    )
    return node("label", label, node("select", *items, name=name, data_default=default or None))


def _ranges(columns: dict[str, list[Any]]) -> Iterator[Element]:
    names = ["confidence"] + ["agreement"] * any(columns["votes"])
    for name in names:
        fields = [
            node(
                "input",
                type="number",
                name=f"{name}-{end}",
                min=0,
                max=1,
                step=0.05,
                placeholder=place,
                aria_label=f"{name}, {word}",
            )
            for end, place, word in (("min", "0", "at least"), ("max", "1", "at most"))
        ]
        yield node("fieldset", node("legend", name), fields[0], " – ", fields[1])


def _extras(*, keys: bool, predicted: bool) -> Iterator[Element]:
    sorts = dict(_SORTS)
    if predicted:
        yield _select("network", "network", {"right": "right", "wrong": "wrong"})
        sorts["-certainty"] = "network's confidence, highest first"
    if keys:
        yield node("label", "name contains", node("input", type="search", name="text"))
    yield _select("sort", "order", sorts)
    keep = node("input", type="checkbox", name="keep")
    yield node("label", keep, "keep others, faded", class_="check")
    yield node("button", "Reset", type="reset")


def list_section(name: str) -> Element:
    """Return the section of a list; page.js fills it."""
    title, lead = LISTS[name]
    return section(name, title, lead, node("ul", class_="gallery", data_list=name))


def drops(reasons: dict[str, int]) -> Element:
    """Return the section of dropped entries: a box for each reason, with some of its entries."""
    boxes = (
        node(
            "div",
            node(
                "h3",
                f"{reason.replace('_', ' ')} · {count:,}",
                node("button", "on the wall", type="button", data_outcome=reason),
            ),
            node("ul", class_="drops", data_list=f"drop-{reason}"),
        )
        for reason, count in reasons.items()
    )
    lead = (
        "Some entries of each reason. Their photos are in the archive only: with --source they are "
        "shown, as far as they can be decoded."
    )
    return section("drops", "Dropped entries", lead, node("div", *boxes, class_="reasons"))


def proof(figures: Figures) -> Element:
    """Return the table of the leakage report."""
    own = figures["proof"]
    rows = (
        ("people in more than one split", own["overlap"]),
        ("pictures with copies in more than one split", own["copies_across"]),
        ("pairs of people who share a copy of a picture", own["ties"]),
        ("most people connected by copies", own["largest_tie"]),
        ("examples whose file is that of an earlier example", figures["repeated"]),
        ("photos whose names have no person", own["unknown_people"]),
        ("augmented copies, all in train", own["augmented"]),
    )
    box = node("div", node("div", table(("", "count"), rows), class_="scroll", tabindex=0))
    return node("div", box, class_="facts")


def versions(figures: Figures) -> Element:
    """Return the tables of the build's options and of the library versions."""
    tables = (
        table(("option", "value"), _values(figures["options"]), caption="Options of the build"),
        table(("library", "version"), _values(figures["libraries"]), caption="Libraries"),
    )
    boxes = (node("div", node("div", each, class_="scroll", tabindex=0)) for each in tables)
    lead = "The same archive, options and versions give the same dataset, to the last bit."
    return section("versions", "Options and versions", lead, node("div", *boxes, class_="facts"))


def _values(options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(options.items()):
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        word = {True: "yes", False: "no"}[shown] if isinstance(shown, bool) else shown
        yield name.replace("_", " "), "–" if word in (None, "") else str(word)

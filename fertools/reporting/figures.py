"""Draw the figures of a dataset, from the dictionary that `fertools stats OUT --json` prints.

Nothing is counted here: charts, tables and the page's `script#figures` have the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

from fertools.console import name_pair
from fertools.data import Split
from fertools.reporting.charts import Bar, bars, columns, matrix
from fertools.reporting.markup import cell_text

Figures = dict[str, Any]

#: Places that are drawn; folders of an archive may state any number of them.
_PLACES: Final = 12

_SEXES: Final = {"남": "남 male", "여": "여 female"}


def dataset_charts(figures: Figures) -> Iterator[Element]:
    """Yield the charts of a dataset; those without any numbers are left out."""
    yield _classes(figures)
    yield from _drops(figures)
    yield from _people(figures)
    yield from _faces(figures)
    yield from _votes(figures)
    yield _weights(figures)


def leak_charts(figures: Figures) -> Iterator[Element]:
    """Yield the charts that show that the splits do not leak, and keep their ratios."""
    proof = figures["proof"]
    known, photos = proof["random_leak"]
    if photos:
        yield bars(
            "People of train in test",
            "Photos in test that show a person who is also in train: after a split by chance, "
            "and people of this dataset who are in more than one split.",
            [
                Bar("a split by chance", (known,), f"of {photos:,}"),
                Bar("here", (proof["overlap"],)),
            ],
            ["photos"],
        )
    if proof["deviation"]:
        points = {name: max(map(abs, row)) for name, row in proof["deviation"].items()}
        yield bars(
            "Distance from the ratios",
            "The largest distance of a class from the ratios of the splits that were asked for, "
            "in percentage points.",
            [Bar(_class_name(figures, name), (value,)) for name, value in points.items()],
            ["points"],
        )
    people = {name: count for name, count in figures["people"].items() if count}
    if people:
        yield bars(
            "People in the splits",
            "Each person is in one split only, unless the dataset was built otherwise.",
            [Bar(name, (count,)) for name, count in people.items()],
            ["people"],
        )


def _classes(figures: Figures) -> Element:
    splits = [str(split) for split in Split if str(split) in figures["splits"]]
    rows = [
        Bar(
            name_pair(entry["name"], entry["english"]),
            tuple(entry["photos"].get(split, 0) for split in splits),
            f"{100 * entry['share']:.1f} %",
        )
        for entry in figures["table"]
    ]
    about = "Photos of each class by split, without augmented copies; its share of all photos."
    return bars("Classes and splits", about, rows, splits)


def _drops(figures: Figures) -> Iterator[Element]:
    dropped = {name: count for name, count in figures["outcomes"].items() if name != "kept"}
    if dropped:
        rows = [Bar(name.replace("_", " "), (count,)) for name, count in dropped.items()]
        about = "Entries of the archive that are no examples, by the reason in the ledger."
        yield bars("Dropped entries", about, rows, ["entries"])


def _people(figures: Figures) -> Iterator[Element]:
    yield from _named("Sex", "As the file names state it.", figures["sexes"], _SEXES)
    if any(age != "unknown" for age in figures["ages"]):
        about = "Photos by the decade that the file names state."
        yield columns("Age", about, figures["ages"], scale="decade")
    places = sorted(figures["places"].items(), key=lambda item: (-item[1], item[0]))
    about = "Where the photos were taken, as the file names state it" + (
        f": {_PLACES} of {len(places)} places." if len(places) > _PLACES else "."
    )
    yield from _named("Place", about, dict(places[:_PLACES]), {})
    if figures["subjects"]:
        names = ("fewest", "median", "most")
        rows = [Bar(n, (v,)) for n, v in zip(names, figures["photos_each"], strict=True)]
        people = f"{figures['subjects']:,} people in {figures['sessions']:,} sessions."
        yield bars("Photos of one person", people, rows, ["photos"])


def _named(
    title: str, about: str, counts: dict[str, int], names: dict[str, str]
) -> Iterator[Element]:
    if any(name != "unknown" for name in counts):
        rows = [Bar(names.get(name, name), (count,)) for name, count in counts.items()]
        yield bars(title, about, rows, ["photos"])


def _faces(figures: Figures) -> Iterator[Element]:
    small = f"{figures['enlarged']:,} are smaller than the crop and were enlarged."
    yield from _histogram(
        "Face size", f"Shorter side of the face's box in pixels of the photo. {small}",
        figures["face_sizes"], "pixels",
    )  # fmt: skip
    yield from _histogram(
        "Confidence", "The detector's confidence in the chosen face, 0 to 1.",
        figures["confidences"], "confidence",
    )  # fmt: skip
    if figures["ious"]:
        about = "Overlap (intersection over union) of the detector's box and the annotators'."
        yield from _histogram("Boxes against annotators", about, figures["ious"], "overlap")
    if len(figures["faces_each"]) > 1:
        about = "Photos by the number of faces that were found in them; one of them is the crop."
        yield columns("Faces in a photo", about, figures["faces_each"], scale="faces")


def _histogram(title: str, about: str, drawn: Figures, scale: str) -> Iterator[Element]:
    if not any(drawn["counts"]):
        return
    edges = [cell_text(edge) for edge in drawn["edges"]]
    labels = [f"{low}–{high}" for low, high in pairwise(edges)]
    counts = dict(zip(labels, drawn["counts"], strict=True))
    least, median, most = (cell_text(drawn[name]) for name in ("least", "median", "most"))
    facts = f" Median {median}, from {least} to {most}."
    yield columns(title, about + facts, counts, scale=scale, edges=edges)


def _votes(figures: Figures) -> Iterator[Element]:
    agreement = figures["proof"]["agreement"]
    if agreement:
        rows = [
            Bar(_class_name(figures, name), (three, two - three, records - two))
            for name, (records, two, three) in agreement.items()
        ]
        yield bars(
            "Annotators against the name",
            "Photos with a label record, by how many of the three annotators chose the class that "
            "the file name states.",
            rows,
            ["all three", "two", "one or none"],
        )
    if figures["votes_by_name"]:
        names = [name_pair(entry["name"], entry["english"]) for entry in figures["table"]]
        yield matrix(
            "Votes by the emotion in the name",
            "Rows: the emotion that the file name states. Columns: how often each class was "
            "chosen. Darker is a larger share of the row.",
            [*figures["votes_by_name"].values()],
            names,
            rows=[_class_name(figures, name) for name in figures["votes_by_name"]],
        )


def _weights(figures: Figures) -> Element:
    weights = zip(figures["table"], figures["class_weights"].values(), strict=True)
    rows = [Bar(name_pair(e["name"], e["english"]), (weight,)) for e, weight in weights]
    about = "For model.fit(class_weight=…): from the numbers of examples in train."
    return bars("Class weights", about, rows, ["weight"])


def _class_name(figures: Figures, name: str) -> str:
    english = {entry["name"]: entry["english"] for entry in figures["table"]}
    return name_pair(name, english.get(name, name))

"""Show the figures about votes as text of at most 80 columns, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.console import display_width, name_pair, table
from fertools.dataset.manifest import ClassName
from fertools.errors import printable
from fertools.inspection.label_quality.ledger_votes import LABELS_FILE
from fertools.intervals import Estimate
from fertools.votes.survey import Share, Survey

_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a figure is called in text, what it says, and where it is from."""

    title: str
    definition: str
    source: str


#: The shares that bound a classifier, by their names in `Survey.ceilings`.
CEILINGS: Final = {
    "one_against_others": Meaning(
        "one annotator, against the majority of the others",
        "each vote is left out once and compared with the majority of the others, where they "
        "have one: what a person reaches",
        "leave-one-out agreement",
    ),
    "name_from_votes": Meaning(
        "the name, predicted from the votes",
        "how often the class in a photo's name can be predicted from its votes alone, by the "
        "photos of other people: about what a classifier can reach against names",
        "Bayes accuracy over vote patterns, cross-validated by person",
    ),
    "best_classifier": Meaning(
        "the best classifier, against a random annotator",
        "one that always knows what is shown and says what annotators say of it most often: the "
        "sum over classes of prior times largest cell of the annotators' row",
        "Dawid and Skene (1979), fitted again to each draw of people",
    ),
    "next_annotator": Meaning(
        "the next vote, predicted from the votes so far",
        "the mean over photos of the largest posterior predictive probability: what the votes "
        "are worth; a classifier sees more than votes and may exceed it",
        "Dawid and Skene (1979), fitted again to each draw of people",
    ),
    "ties": Meaning(
        "no majority of the others",
        "how often the other annotators tie, so that a vote cannot be compared with them",
        "leave-one-out agreement",
    ),
}


@dataclass(frozen=True, slots=True)
class LabelReport:
    """The figures of `measure_labels`; `survey` has them as arrays and estimates."""

    out: Path
    classes: tuple[ClassName, ...]
    survey: Survey

    @property
    def doubts(self) -> tuple[str, ...]:
        """The pairs of classes that votes cannot distinguish, a line each."""
        names = [entry.name for entry in self.classes]
        return tuple(
            f"annotators say nearly the same of what the model calls {names[one]} and "
            f"{names[other]}: votes cannot distinguish the two, so do not use their figures"
            for one, other in self.survey.model.alike
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, for JSON; None where there is no figure."""
        survey, model = self.survey, self.survey.model
        return {
            "classes": [entry.name for entry in self.classes],
            "photos": survey.photos,
            "people": survey.people,
            "unknown_people": survey.unknown,
            "name_agreement": [_share(share) for share in survey.named],
            "pairwise_agreement": _figure(survey.pairs),
            "fleiss_kappa": _plain(survey.kappa.value),
            "fleiss_kappa_interval": _interval(survey.kappa),
            "fleiss_kappa_votes": survey.kappa_votes,
            "krippendorff_alpha": _plain(survey.alpha.value),
            "krippendorff_alpha_interval": _interval(survey.alpha),
            "name_majority_confusion": survey.confusion[:, :-1].tolist(),
            "name_without_majority": survey.confusion[:, -1].tolist(),
            "slots": [_share(share) for share in survey.slots],
            "slots_differ": survey.slots_differ,
            "priors": model.priors.tolist(),
            "annotator_confusion": model.annotator.tolist(),
            "uploader_confusion": None if model.uploader is None else model.uploader.tolist(),
            "ceilings": {
                name: _figure(survey.ceilings[name])
                | {"definition": meaning.definition, "source": meaning.source}
                for name, meaning in CEILINGS.items()
            },
            "doubts": [*self.doubts],
        }

    def csv(self) -> str:
        """Return every figure with its interval as CSV, a row each."""
        survey, text = self.survey, io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("figure", "of", "name", "value", "low", "high", "number", "people"))
        for figure, shares in (("name_agreement", survey.named), ("slot", survey.slots)):
            for each in shares:
                of = (figure, each.heading, each.name)
                writer.writerow((*of, *_cells(each.estimate), each.number, each.people))
        single = {
            "pairwise_agreement": survey.pairs,
            "fleiss_kappa": survey.kappa,
            "krippendorff_alpha": survey.alpha,
            **survey.ceilings,
        }
        for name, estimate in single.items():
            writer.writerow((name, "", "", *_cells(estimate), survey.photos, survey.people))
        return text.getvalue()

    def text(self) -> str:
        """Return the figures as tables, each with what it means."""
        survey = self.survey
        people = f"{survey.people:,} people, " * (survey.people > 0)
        unknown = f"{survey.unknown:,} of no known person, " * (survey.unknown > 0)
        blocks = [
            f"{survey.photos:,} photos with votes, {people}{unknown}95 % intervals over "
            + ("people" if survey.people else "photos"),
            *self._named(),
            *self._agreement(),
            *self._confusion(),
            *self._model(),
            *self._ceilings(),
            *(f"warning: {printable(doubt)}" for doubt in self.doubts),
            _note(
                f"{LABELS_FILE} has the probability of each class for each photo. It has plain "
                "file names: like the ledger, it stays on this machine."
            ),
        ]
        return "\n\n".join(blocks)

    def _named(self) -> Iterator[str]:
        english = {entry.name: entry.english for entry in self.classes}
        rows = []
        for each in self.survey.named:
            name = name_pair(each.name, english.get(each.name, each.name))
            name = f"age {name}" if each.heading == "age" else name
            rows.append((name, each.number, each.people, *_columns(each.estimate)))
        yield table(("name and majority agree", "photos", "people", "share", "95 %"), rows)
        yield _note(
            "How often at least two annotators, and more than for any other class, chose the class "
            "of the photo's name."
        )

    def _agreement(self) -> Iterator[str]:
        survey = self.survey
        rows = [
            ("pairs of votes that agree", *_columns(survey.pairs)),
            (f"Fleiss' κ ({survey.kappa_votes} votes a photo)", *_columns(survey.kappa)),
            ("Krippendorff's α", *_columns(survey.alpha)),
            *((f"slot {s.name} with the others", *_columns(s.estimate)) for s in survey.slots),
        ]
        yield table(("annotators among each other", "share", "95 %"), rows)
        differ = "The slots differ." if survey.slots_differ else "No two slots differ for certain."
        yield _note(
            "κ and α are 0 where votes agree as often as by chance, and 1 where all agree. "
            + ("Who gave which vote is not known: no figures by slot." if not survey.slots else "")
            + (differ * bool(survey.slots))
        )

    def _confusion(self) -> Iterator[str]:
        heads = [*(entry.name for entry in self.classes), "none"]
        yield self._matrix("name \\ majority", heads, self.survey.confusion)
        yield _note('Photos by name (rows) and majority (columns); "none" is a tie.')

    def _model(self) -> Iterator[str]:
        model = self.survey.model
        heads = [entry.name for entry in self.classes]
        shown = model.priors > 0
        shares = np.column_stack([model.priors, model.annotator])
        yield self._matrix("shown \\ annotator", ["all", *heads], shares, shown)
        yield _note(
            'Dawid-Skene: how many photos show each class ("all"), and how often an annotator says '
            "each class of them."
        )
        if not shown.all():
            yield _note("Classes that no uploader names are left out: no photo can show them.")
        if model.uploader is not None:
            yield self._matrix("shown \\ uploader", heads, model.uploader, shown)
            yield _note("The same of the uploader, who says what was to be acted.")

    def _matrix(
        self,
        corner: str,
        heads: Sequence[str],
        rows: NDArray[Any],
        shown: NDArray[np.bool_] | None = None,
    ) -> str:
        """Return a table of the classes, with heads that are cut off where it would be too wide."""
        names = [entry.name for entry in self.classes]
        first = max(map(display_width, (corner, *names)))
        width = (_WIDTH - first) // len(heads) - 2
        which = range(len(names)) if shown is None else np.flatnonzero(shown)
        body = [(names[row], *rows[row].tolist()) for row in which]
        return table((corner, *(_cut(head, width) for head in heads)), body)

    def _ceilings(self) -> Iterator[str]:
        survey = self.survey
        rows = [
            (meaning.title, *_columns(survey.ceilings[name])) for name, meaning in CEILINGS.items()
        ]
        yield table(("how good a classifier can be", "share", "95 %"), rows)
        for meaning in CEILINGS.values():
            yield _note(f"{meaning.title}: {meaning.definition}.")
        low, high = survey.pairs.value, math.sqrt(survey.pairs.value)
        yield _note(
            f"Without any model the best classifier is between {low:.3f} and {high:.3f}: the share "
            "of agreeing pairs and its square root."
        )


def _note(text: str) -> str:
    return fill(text, _WIDTH)


def _cut(text: str, width: int) -> str:
    while display_width(text) > max(width, 2):
        text = text[:-1]
    return text


def _columns(estimate: Estimate) -> tuple[str, str]:
    """Return a figure and its interval as two cells."""
    if math.isnan(estimate.value):
        return "–", "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}", "–"
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}"


def _cells(estimate: Estimate) -> tuple[float | None, ...]:
    return tuple(map(_plain, (estimate.value, estimate.low, estimate.high)))


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _figure(estimate: Estimate) -> dict[str, Any]:
    return dict(zip(("value", "low", "high"), _cells(estimate), strict=True))


def _interval(estimate: Estimate) -> list[float | None]:
    return [*_cells(estimate)[1:]]


def _share(share: Share) -> dict[str, Any]:
    own = {"of": share.heading, "name": share.name, "number": share.number, "people": share.people}
    return own | _figure(share.estimate)

"""Measure how far the labels of a dataset can be trusted, from what its annotators said."""

from __future__ import annotations

from pathlib import Path

from fertools.checking import user_path
from fertools.dataset.manifest import Manifest
from fertools.files import check_place, write_whole
from fertools.inspection.label_quality.ledger_votes import LabelVotes, write_labels
from fertools.inspection.label_quality.report import LabelReport
from fertools.options import LabelsOptions
from fertools.votes.survey import Survey


def measure_labels(out: Path | str, *, csv: Path | str | None = None) -> LabelReport:
    """Measure agreement, annotators and ceilings, and write OUT/labels.parquet.

    csv   a file for all figures, a row each

    The command is `fertools labels`; a function of that name would hide a package. Raises
    DatasetError for a dataset without votes, of format 1, or without a ledger that can be read,
    OutputError for a file that cannot be written.
    """
    options = LabelsOptions.of({"csv": csv})
    out, file = user_path(out), None if options.csv is None else Path(options.csv)
    if file:
        check_place(file)
    manifest = Manifest.read(out)
    votes = LabelVotes.read(out, manifest)
    survey = Survey.of(votes.answers)
    write_labels(out, manifest, votes, survey.model.posterior_of(votes.answers.patterns))
    report = LabelReport(out, manifest.classes, survey)
    if file:
        write_whole(file, report.csv().encode())
    return report

"""Read the votes of a ledger into arrays, and write what they say of each photo.

    ledger.parquet ──rows with votes──▶ Answers ──Dawid-Skene──▶ labels.parquet

All photos with votes count, also those that were dropped: a dataset of --labels unanimous keeps
only photos on which all annotators agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fertools.columns import Ints, list_array
from fertools.dataset.manifest import Manifest
from fertools.errors import DatasetError
from fertools.files import whole_file
from fertools.inspection.ledger_rows import SLOTS
from fertools.inspection.votes import word_classes
from fertools.intervals import Floats
from fertools.votes.answers import Answers, number_people

LABELS_FILE: Final = "labels.parquet"

#: In the metadata of LABELS_FILE: the SHA-256 of the ledger that it is from.
_LEDGER: Final = b"fertools.ledger"

_WORDS: Final = ("subject", "sex", "emotion", "place", *SLOTS)
_PLACED: Final = ("key", "split", "shard", "index")

#: Decimals of a probability: more would differ between machines.
_DECIMALS: Final = 6

_SEXES: Final = {"남": "남 male", "여": "여 female"}


@dataclass(frozen=True, slots=True)
class LabelVotes:
    """The photos of a ledger that have votes.

    answers   who said what
    rows      int64, (photos,): their rows of the ledger
    """

    answers: Answers
    rows: Ints

    @classmethod
    def read(cls, out: Path, manifest: Manifest) -> LabelVotes:
        """Read a dataset's ledger; DatasetError if it is damaged, without votes or of format 1."""
        if not manifest.votes:
            raise DatasetError(
                f"{out} has no votes, as its archive had no label records: add [라벨]….zip or its "
                "folder to SRC and build again"
            )
        if not manifest.uploader:
            raise DatasetError(
                f"{out} is of format 1, which does not keep who said what: remove "
                f"{out}/metadata.json and give the same build-dataset command again, finished "
                "faces are used"
            )
        table = _read(manifest.ledger_in(out), [*_WORDS, "age", "votes"])
        rows = np.flatnonzero(_has_votes(table))
        if not len(rows):
            raise DatasetError(f"{out} has no photo with a vote: check the label files of SRC")
        table = table.take(pa.array(rows))
        return cls(_answers(table, manifest), rows)


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns).combine_chunks()
    except (OSError, pa.ArrowException) as fault:
        reason = " ".join(str(fault).split())[:200]
        raise DatasetError(
            f"{path} cannot be read: {reason}: put a whole copy back, or build again"
        ) from fault


def _has_votes(table: pa.Table) -> Any:
    """Return which rows have a vote or a word of an annotator, bool, (rows,)."""
    votes = pc.list_parent_indices(table["votes"])
    counted = np.zeros(len(table), np.bool_)
    counted[np.asarray(votes)[np.asarray(pc.list_flatten(table["votes"])) > 0]] = True
    for slot in SLOTS[1:]:
        counted |= np.asarray(pc.is_valid(table[slot]))
    return counted


def _answers(table: pa.Table, manifest: Manifest) -> Answers:
    counts = np.asarray(pc.list_flatten(table["votes"])).reshape(len(table), -1)
    uploader, *annotators = (_classes(table[slot], manifest) for slot in SLOTS)
    slots = np.column_stack(annotators)
    if (slots < 0).all():  # a table of counts: who gave which vote is not known
        slots = slots[:, :0]
    names = _classes(table["emotion"], manifest)
    groups = {
        "class": ([entry.name for entry in manifest.classes], names),
        "sex": _group(table["sex"], _SEXES),
        "age": _ages(table["age"]),
        "place": _group(table["place"], {}),
    }
    people, known = number_people(_codes(table["subject"])[0])
    return Answers(counts, uploader, names, people, known, slots, groups)


def _codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return the words of a column, sorted, and each row's index into them, -1 for null."""
    encoded = column.combine_chunks().dictionary_encode()
    words = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    place = np.full(len(words) + 1, -1, np.int64)
    place[order] = np.arange(len(words))
    codes: Ints = place[np.asarray(encoded.indices.fill_null(len(words)))]
    return codes, [words[i] for i in order]


def _classes(column: pa.ChunkedArray, manifest: Manifest) -> Ints:
    codes, words = _codes(column)
    classes: Ints = np.array([*map(word_classes(manifest), words), -1], np.int64)[codes]
    return classes


def _group(column: pa.ChunkedArray, names: dict[str, str]) -> tuple[list[str], Ints]:
    codes, words = _codes(column)
    return [names.get(word, word) for word in words], codes


def _ages(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    ages = np.asarray(column.combine_chunks().fill_null(-1), np.int64)
    different, codes = np.unique(ages, return_inverse=True)
    return [str(age) for age in different.tolist()], np.where(ages < 0, -1, codes)


def write_labels(out: Path, manifest: Manifest, votes: LabelVotes, posterior: Floats) -> Path:
    """Write labels.parquet: a row for each photo with votes, the same bytes for the same ledger.

    posterior   (patterns, classes) of the patterns of `votes.answers`
    """
    answers = votes.answers
    names = pa.array([entry.name for entry in manifest.classes], pa.string())
    rounded = posterior.round(_DECIMALS)
    places = _read(out / manifest.ledger.file, [*_PLACED]).take(pa.array(votes.rows))
    columns = {
        "key": places["key"],
        "name": names.take(pa.array(answers.names, mask=answers.names < 0)),
        "majority": names.take(pa.array(answers.majorities, mask=answers.majorities < 0)),
        "votes": list_array(answers.counts),
        "posterior": list_array(rounded[answers.patterns.index]),
        **{name: places[name] for name in _PLACED[1:]},
    }
    metadata = {
        b"fertools.classes": json.dumps(names.to_pylist(), ensure_ascii=False).encode(),
        _LEDGER: manifest.ledger.sha256.encode(),
    }
    with whole_file(out / LABELS_FILE) as file:
        pq.write_table(pa.table(columns, metadata=metadata), file, compression="zstd")
    return out / LABELS_FILE


def ledger_of(path: Path) -> str | None:
    """Return the SHA-256 of the ledger that a labels.parquet is from; None for another file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    digest: bytes | None = metadata.get(_LEDGER)
    return None if digest is None else digest.decode()

"""Who is in which split, as a CSV: the one that is written, and one that a user brings.

    key,subject,split
    1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076…jpg,1076…,train

A file needs a column `split` (train, validation or val, test) and one of: `key`, `name` (the
photo's file name, wherever it lies) or `subject`, of which the first that it has is used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.data import Split
from fertools.errors import OptionError
from fertools.pipeline.kept import Kept

SPLITS: Final = "splits.csv"

_WORDS: Final = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "test": Split.TEST,
}
_NUMBERS: Final = {split: number for number, split in enumerate(Split)}


def write_splits(rows: Iterable[Mapping[str, str | None]]) -> bytes:
    """Write ledger rows that have a split as the CSV that `read_splits` takes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("key", "subject", "split"))
    for row in rows:
        if row["split"]:
            writer.writerow((row["key"], row["subject"] or "", row["split"]))
    return text.getvalue().encode()


def read_splits(path: Path, kept: Kept) -> NDArray[np.int8]:
    """Give each kept photo the split that a user's file says, -1 where it says none.

    Raises OptionError, with the line, for a file that cannot be read or says what cannot be meant.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            column = _column(path, reader.fieldnames or ())
            said = {row[column] or "": _number(path, reader.line_num, row) for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"--split-file {path} cannot be read: {error}") from error
    names = {
        "key": kept.keys,
        "name": [key.rpartition("/")[2] for key in kept.keys],
        "subject": [subject or "" for subject in kept.subjects],
    }[column]
    return np.array([said.get(name, -1) for name in names], dtype=np.int8)


def fingerprint_of(path: Path) -> str:
    """Name a split file by what it says, so that no path enters the manifest."""
    try:
        return f"sha256 {sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise OptionError(f"--split-file {path} cannot be read: {error.strerror}") from error


def _column(path: Path, names: Iterable[str]) -> str:
    found = [name for name in ("key", "name", "subject") if name in names]
    if "split" not in names or not found:
        raise OptionError(
            f"--split-file {path}: its first line must name `split` and one of key, name, subject"
        )
    return found[0]


def _number(path: Path, line: int, row: Mapping[str, str | None]) -> int:
    word = (row["split"] or "").strip().lower()
    if word not in _WORDS:
        raise OptionError(
            f"--split-file {path}, line {line}: {word!r} is no split; "
            "there are train, validation and test"
        )
    return _NUMBERS[_WORDS[word]]

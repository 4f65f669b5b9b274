"""Which photo is in which split, as a CSV: the one that is written, and one that a user brings.

    key,subject,split
    1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076…jpg,1076…,train

A file needs a column `split` (train, validation or val, test) and one of: `key`, `name` (the
photo's file name, wherever it lies) or `subject`, of which the first that it has is used.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.data import Split
from fertools.errors import OptionError, printable

_WORDS: Final = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "test": Split.TEST,
}
_NUMBERS: Final = {split: number for number, split in enumerate(Split)}


def write_splits(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Write the ledger rows that have a split as the CSV that `SplitTable` reads, in pieces.

    batches   of the ledger, in its order, with the columns key, subject and split
    """
    yield b"key,subject,split\n"
    for batch in batches:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = (batch[name].to_pylist() for name in ("key", "subject", "split"))
        writer.writerows(
            (key, subject or "", split)
            for key, subject, split in zip(*columns, strict=True)
            if split
        )
        yield text.getvalue().encode()


@dataclass(frozen=True, slots=True)
class SplitTable:
    """A user's split file.

    path     for messages
    column   what it names photos by: "key", "name" or "subject"
    splits   by what stands in that column, in NFC: 0 train, 1 validation, 2 test
    """

    path: Path
    column: str
    splits: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> SplitTable:
        """Read a file; nothing of the archive is needed for it.

        Names are normalised to NFC, in which the archive's are: macOS writes NFD. A name may stand
        there several times with one split.

        Raises OptionError, with the line, for a file that cannot be read, for what is no split and
        for a name that is given two splits.
        """
        splits: dict[str, int] = {}
        lines: dict[str, int] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                column = _column(path, reader.fieldnames or ())
                for row in reader:
                    where = f"--split-file {path}, line {reader.line_num}"
                    name = unicodedata.normalize("NFC", row[column] or "")
                    if not name:
                        raise OptionError(f"{where}: its {column} is empty: name one, or remove it")
                    split = _number(where, row)
                    if splits.setdefault(name, split) != split:
                        raise OptionError(
                            f"{where}: {printable(name)} is in {[*Split][split]} here and in "
                            f"{[*Split][splits[name]]} in line {lines[name]}: keep one of the two"
                        )
                    lines.setdefault(name, reader.line_num)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise OptionError(f"--split-file {path} cannot be read: {error}") from error
        return cls(path, column, splits)

    def assign(self, keys: Sequence[str], subjects: Sequence[str | None]) -> NDArray[np.int8]:
        """Return the split of each photo, int8, (photos,), -1 where the file does not name it.

        keys, subjects   of the photos, as in the ledger

        Raises OptionError where the file names none of the photos.
        """
        names: Iterable[str] = {
            "key": keys,
            "name": (key.rpartition("/")[2] for key in keys),
            "subject": (subject or "" for subject in subjects),
        }[self.column]
        found = np.array([self.splits.get(name, -1) for name in names], dtype=np.int8)
        if not (found >= 0).any():
            given = printable(next(iter(self.splits), "")) or "nothing"
            raise OptionError(
                f"--split-file {self.path} names none of the {len(found)} photos by its column "
                f"{self.column}, which begins with {given}: the splits.csv of a dataset shows how "
                "they are named"
            )
        return found


def split_file_digest(path: Path) -> str:
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


def _number(where: str, row: Mapping[str, str | None]) -> int:
    word = (row["split"] or "").strip().lower()
    if word not in _WORDS:
        raise OptionError(f"{where}: {word!r} is no split; there are train, validation and test")
    return _NUMBERS[_WORDS[word]]

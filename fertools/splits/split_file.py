"""Read and write split files: a CSV of photos and their splits.

    key,subject,split
    1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076…jpg,1076…,train

A file needs a column `split` (train, validation or val, test) and one of `key`, `name` (the file
name of a photo, in any folder) and `subject`. If it has several of these three, the first is used.
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
from fertools.splits.measures import TEST, TRAIN, VALIDATION

_NAMES: Final = tuple(Split)
_NUMBERS: Final = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}


def write_splits(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield a CSV of the ledger rows that have a split, in pieces; `SplitTable` reads it.

    batches   the ledger's batches in order, with the columns key, subject and split
    """
    yield b"key,subject,split\n"
    for batch in batches:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        columns = (batch[name].to_pylist() for name in ("key", "subject", "split"))
        writer.writerows(row for row in zip(*columns, strict=True) if row[-1])  # None is empty
        yield text.getvalue().encode()


@dataclass(frozen=True, slots=True)
class SplitTable:
    """The content of a user's split file.

    column   the column that identifies photos: "key", "name" or "subject"
    splits   value of this column, in NFC -> 0 train, 1 validation, 2 test
    """

    path: Path
    column: str
    splits: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> SplitTable:
        """Read a split file, without the archive.

        Names are normalised to NFC like those of the archive, because macOS writes NFD. A name may
        be repeated with the same split.

        Raises OptionError for a file that cannot be read, and, with the number of the line, for an
        empty name, an unknown split and a name with two splits.
        """
        splits: dict[str, int] = {}
        lines: dict[str, int] = {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                column = _choose_column(path, reader.fieldnames or ())
                for row in reader:
                    where = f"--split-file {path}, line {reader.line_num}"
                    name = unicodedata.normalize("NFC", row[column] or "")
                    if not name:
                        raise OptionError(f"{where}: its {column} is empty: name one, or remove it")
                    split = _parse_split(where, row)
                    if splits.setdefault(name, split) != split:
                        raise OptionError(
                            f"{where}: {printable(name)} is in {_NAMES[split]} here and in "
                            f"{_NAMES[splits[name]]} in line {lines[name]}: keep one of the two"
                        )
                    lines.setdefault(name, reader.line_num)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise OptionError(f"--split-file {path} cannot be read: {error}") from error
        return cls(path, column, splits)

    def assign(self, keys: Sequence[str], subjects: Sequence[str | None]) -> NDArray[np.int8]:
        """Return the split of each photo, int8, (photos,), -1 if the file does not contain it.

        keys, subjects   keys and subjects of the photos, as in the ledger

        Raises OptionError if the file has none of the photos.
        """
        names: Iterable[str] = {
            "key": keys,
            "name": (key.rpartition("/")[2] for key in keys),
            "subject": (subject or "" for subject in subjects),
        }[self.column]
        splits = np.array([self.splits.get(name, -1) for name in names], dtype=np.int8)
        if not (splits >= 0).any():
            first = printable(next(iter(self.splits), "")) or "nothing"
            raise OptionError(
                f"--split-file {self.path} names none of the {len(splits)} photos by its column "
                f"{self.column}, which begins with {first}: the splits.csv of a dataset shows how "
                "they are named"
            )
        return splits


def split_file_digest(path: Path) -> str:
    """Return the SHA-256 of a split file; the manifest has it instead of the path."""
    try:
        return f"sha256 {sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise OptionError(
            f"--split-file {path} cannot be read: {error.strerror}; check the path"
        ) from error


def _choose_column(path: Path, names: Iterable[str]) -> str:
    found = [name for name in ("key", "name", "subject") if name in names]
    if "split" not in names or not found:
        raise OptionError(
            f"--split-file {path}: its first line must name `split` and one of key, name, subject"
        )
    return found[0]


def _parse_split(where: str, row: Mapping[str, str | None]) -> int:
    word = (row["split"] or "").strip().lower()
    if word not in _NUMBERS:
        raise OptionError(f"{where}: {word!r} is no split; there are train, validation and test")
    return _NUMBERS[word]

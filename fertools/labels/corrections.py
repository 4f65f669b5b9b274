"""Read a person's corrections of labels from a CSV.

    key,label,who,why
    1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076….jpg,슬픔,kim,she is crying
    1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/23ab….jpg,drop,kim,a statue

`label` is the class that the photo gets, in Korean or English; drop, or nothing, leaves it out. In
a list that a person completes, such as suspects.csv, a column `corrected` is read instead, and its
empty cells change nothing. `who` and `why` may be missing, and other columns are ignored.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.data import Drop, Reason
from fertools.errors import OptionError, printable
from fertools.hashing import pseudonym
from fertools.labels.classes import ClassMap

#: The word that leaves a photo out.
DROP: Final = "drop"

_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says of one photo: a class or `drop`, who says so, and why.

    line   of the file, for messages
    """

    word: str
    who: str
    why: str
    line: int

    @property
    def reason(self) -> str:
        """Author and reason of the correction, such as "by kim: she is crying"."""
        who = f"by {self.who}" if self.who else "by hand"
        return f"{who}: {self.why}" if self.why else who


@dataclass(frozen=True, slots=True)
class Corrections:
    """The corrections of a file by key; `sha256` is that of its bytes."""

    path: Path
    sha256: str
    by_key: Mapping[str, Correction]

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Read a file in UTF-8, with or without BOM, or CP949; without the archive.

        Raises OptionError, one line, if it cannot be read, lacks a column, or has a line without
        a key, a key twice, or more values than columns.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise OptionError(
                f"--labels {path} cannot be read: {error.strerror}; check the path"
            ) from error
        by_key: dict[str, Correction] = {}
        try:
            for key, correction in _rows(path, _decode(path, data)):
                first = by_key.setdefault(key, correction)
                if first is not correction:
                    raise OptionError(
                        f"--labels {path}, line {correction.line}: {printable(key)} is in line "
                        f"{first.line} already: keep one of the two"
                    )
        except csv.Error as error:
            raise OptionError(
                f"--labels {path} is not a CSV: {error}; save it as CSV UTF-8"
            ) from error
        if not by_key:
            raise OptionError(f"--labels {path} corrects nothing: fill it in, or leave it out")
        return cls(path, sha256(data).hexdigest(), by_key)

    def by_row(
        self, keys: Sequence[str], is_photo: NDArray[np.bool_], secret: bytes
    ) -> dict[int, Correction]:
        """Return the corrections by the rows of the archive's members.

        keys      of all members, in order
        is_photo  bool, (members,): only photos can be corrected
        secret    with which pseudonyms are made: a file may name photos as the shards do

        Raises OptionError if no photo has one of the keys.
        """
        found = self._find(keys, is_photo)
        missing = self.by_key.keys() - found.keys()
        if missing and all(map(_PSEUDONYM.fullmatch, missing)):
            found |= self._find((pseudonym(secret, key, "key") for key in keys), is_photo)
            missing = self.by_key.keys() - found.keys()
        if missing:
            key = min(missing, key=lambda key: self.by_key[key].line)
            others = f", nor are {len(missing) - 1:,} other keys" if len(missing) > 1 else ""
            raise OptionError(
                f"--labels {self.path}, line {self.by_key[key].line}: {printable(key)} is no photo "
                f"of the archive{others}: take keys from ledger.parquet"
            )
        return {row: self.by_key[key] for key, row in found.items()}

    def _find(self, keys: Iterable[str], is_photo: NDArray[np.bool_]) -> dict[str, int]:
        pairs = zip(keys, is_photo.tolist(), strict=True)
        return {key: row for row, (key, photo) in enumerate(pairs) if photo and key in self.by_key}

    def class_of(self, correction: Correction, classes: ClassMap) -> int | Drop:
        """Return the class that a correction gives a photo, or why the photo is left out.

        Raises OptionError, with the line, for a word that is no class.
        """
        if correction.word == DROP:
            return Drop(Reason.REJECTED, correction.reason)
        return classes.find(correction.word, f"--labels {self.path}, line {correction.line}:")


def _decode(path: Path, data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp949"):  # Korean Excel's plain CSV is CP949
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise OptionError(f"--labels {path} is neither UTF-8 nor CP949: save it as CSV UTF-8")


def _rows(path: Path, text: str) -> Iterator[tuple[str, Correction]]:
    """Yield key and correction of each line that says something."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    column = "corrected" if "corrected" in names else "label"
    if not {"key", column} <= set(names):
        raise OptionError(
            f"--labels {path}: its first line must name the columns key and label (or corrected), "
            "with commas between them"
        )
    for row in reader:
        where = f"--labels {path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise OptionError(
                f"{where}: {len(names)} values expected, as in the first line: put quotes around a "
                "value with a comma"
            )
        cells = {name: row[name].strip() for name in {"key", column, "who", "why"} & set(names)}
        key, word = unicodedata.normalize("NFC", cells["key"]), cells[column]
        if not word and column == "corrected":
            continue
        if not key:
            raise OptionError(f"{where}: its key is empty: fill it in, or remove the line")
        word = unicodedata.normalize("NFC", word or DROP)
        yield key, Correction(word, cells.get("who", ""), cells.get("why", ""), reader.line_num)

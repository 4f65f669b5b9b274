"""Define what a preset consists of: data that says where a set keeps classes, people and splits.

    DATASET / test / 4 / test_0002_aligned.jpg        RAF-DB
              │      │   └ name: the photo in side tables
              │      └ class
              └ split

Patterns are regular expressions that are searched in keys and in the names of side tables. Their
named groups are GROUPS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fertools.data import Split
from fertools.errors import OptionError

#: The named groups of a pattern. `name` is what side tables call the photo.
GROUPS: Final = ("class", "subject", "sex", "age", "split", "name")

#: The words for splits in a user's pattern or table.
SPLIT_WORDS: Final = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "test": Split.TEST,
    "testing": Split.TEST,
}

#: Words for one emotion in the files of different sets.
_SYNONYMS: Final = (
    ("angry", "anger", "an"),
    ("disgust", "disgusted", "di"),
    ("fear", "fearful", "afraid", "scared", "fe", "af"),
    ("happy", "happiness", "joy", "ha"),
    ("sad", "sadness", "sa"),
    ("surprise", "surprised", "su"),
    ("neutral", "ne"),
    ("contempt", "contemptuous"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A file in the archive that says more of photos than their names do.

    file      pattern of the file's key; with a group `name` the file is about that one photo
    columns   names of columns in the first line, lower case, each with its meaning: one of GROUPS
    votes     columns that count votes, each with its class, or "" for an answer that is none
    order     meanings of the columns of a file without such a first line
    unnamed   name of a row without a name, from its number: the set says that it shows no face
    needed    the file's name, if the archive cannot be used without it
    """

    file: str
    columns: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    unnamed: str = ""
    needed: str = ""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pictures that a CSV stores as numbers, a row each; the row's other columns are its labels.

    files     file names, lower case: only the first that the archive has is read
    member    the name of a row's picture, from its number
    columns   as in Table
    numbers   classes by the numbers of this file, if they are not the set's
    """

    files: tuple[str, ...]
    member: str
    columns: Mapping[str, str]
    numbers: tuple[str, ...] = ()

    def class_of(self, text: str) -> str:
        """Return the class of a number in this file; the text itself where that is none.

        >>> Pixels((), "", {}, ("anger", "disgust")).class_of("1")
        'disgust'
        """
        word = as_word(text)
        return self.numbers[int(word)] if word in map(str, range(len(self.numbers))) else text


@dataclass(frozen=True, slots=True)
class Preset:
    """The layout of one data set.

    title     its name
    layout    the files that are expected, in words
    source    the set's own paper or site
    pattern   of a photo's key; "" where fertools.labels reads names and folders (aihub, folders)
    classes   in the order of the set's numbers: name, then all words for it in the set's files
    splits    the set's words for its own splits, lower case; where no word means validation, train
              is divided
    crops     whether the photos are crops of faces already, so that nothing is detected
    people    whether names say who is in a photo
    tiff      whether photos may be TIFF files
    sign      pattern of keys by which the layout is recognised
    """

    title: str
    layout: str
    source: str = ""
    pattern: str = ""
    classes: tuple[tuple[str, ...], ...] = ()
    english: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    pixels: Pixels | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)
    crops: bool = False
    people: bool = True
    tiff: bool = False
    sign: str = ""

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(words[0] for words in self.classes)

    @property
    def voted(self) -> bool:
        """Whether the set's tables count votes."""
        return any(table.votes for table in self.tables)

    def class_of(self, word: str) -> str | None:
        """Return the class that a word or number in the set's files means, None for none.

        A set without class words takes each word for a class of its own.

        >>> Preset("", "", classes=numbered("angry disgust")).class_of(" 1.0000000e+00")
        'disgust'
        """
        word = as_word(word)
        if not self.classes:
            return word or None
        return _class_words(self.classes).get(word.casefold())

    def split_of(self, word: str) -> Split | None:
        """Return the split that the set's own word means, None for another word."""
        return self.splits.get(word.strip().casefold())

    def table_of(self, key: str) -> Table | None:
        """Return the side table that a file with this key is, None for another file."""
        return next((t for t in self.tables if re.search(t.file, key, re.IGNORECASE)), None)


def numbered(words: str, first: int | None = 0) -> tuple[tuple[str, ...], ...]:
    """Return classes from their words in order, with numbers from `first` on and synonyms.

    >>> numbered("angry neutral")[1]
    ('neutral', '1', 'ne')
    """
    numbers = [(str(first + i),) if first is not None else () for i in range(len(words.split()))]
    return tuple(
        (word, *number, *(other for other in _synonyms(word) if other != word))
        for word, number in zip(words.split(), numbers, strict=True)
    )


def _synonyms(word: str) -> tuple[str, ...]:
    return next((each for each in _SYNONYMS if word in each), ())


def as_word(text: str) -> str:
    """Return a word without blanks around it, and a whole number in its usual form.

    >>> as_word(" Happy"), as_word("3.0000000e+00"), as_word("03")
    ('Happy', '3', '3')
    """
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text


@lru_cache(maxsize=16)
def _class_words(classes: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    return {word.casefold(): words[0] for words in classes for word in words}


def check_pattern(pattern: str) -> str:
    """Return a user's pattern; raise OptionError if it is none, or names no group of GROUPS."""
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as fault:
        raise OptionError(f"--pattern {pattern!r} is no regular expression: {fault}") from None
    known = ", ".join(f"(?P<{group}>…)" for group in GROUPS[:-1])
    if unknown := sorted(groups.keys() - set(GROUPS)):
        raise OptionError(f"--pattern: there is no group {unknown[0]}; there are {known}")
    if not groups:
        raise OptionError(f"--pattern {pattern!r} names nothing: write groups such as {known}")
    return pattern

"""Which classes a dataset has, and which emotion becomes which.

aihub7    기쁨 당황 분노 불안 상처 슬픔 중립     the archive's own
talk5     짜증 당황 행복 중립 슬픔               the talk's: 분노→짜증, 기쁨→행복, two dropped
folders   the names of the photos' folders       for any other tree of class folders
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError
from fertools.labels.filename import EMOTIONS, ENGLISH, korean
from fertools.options import LabelOptions

#: The talk's classes in the talk's order, each with the archive's word for it.
_TALK5: Final = {"짜증": "분노", "당황": "당황", "행복": "기쁨", "중립": "중립", "슬픔": "슬픔"}


@dataclass(frozen=True, slots=True)
class ClassMap:
    """From an emotion's word to a class of the dataset.

    `names` are the classes in the order of their indices, `english` stand beside them, and
    `becomes` holds every known emotion: the index of its class, or None where it is dropped.
    """

    names: tuple[str, ...]
    english: tuple[str, ...]
    becomes: dict[str, int | None]

    @classmethod
    def of(cls, rule: LabelOptions, emotions: Iterable[str | None]) -> ClassMap:
        """Work out the classes from a resolved rule and the emotions that the photos show.

        Raises OptionError, naming the classes that exist, for an unknown class in a rename or a
        drop, where fewer than two classes are left, and for a name that is not one line of text.
        """
        start = _start(rule.classes, emotions)
        renamed = _renamed(start, rule.rename)
        dropped = {_known(word, renamed.values(), "--drop") for word in rule.drop}
        names = tuple(dict.fromkeys(n for n in renamed.values() if n and n not in dropped))
        if len(names) < 2:
            raise OptionError(
                f"only {len(names)} class is left after --drop and --rename: a dataset needs two"
            )
        for name in names:
            _check_name(name)
        index = {name: i for i, name in enumerate(names)}
        return cls(
            names=names,
            english=tuple(ENGLISH.get(name, name) for name in names),
            becomes={word: index.get(name) for word, name in renamed.items()},
        )

    def class_of(self, label: Label) -> int | Drop:
        """Give the class index of a label, or why it has none."""
        if label.emotion is None:
            return Drop(Reason.NO_LABEL, "neither the name nor the folder says an emotion")
        if label.emotion not in self.becomes:
            return Drop(Reason.NO_LABEL, f"{label.emotion} is no emotion of this class set")
        index = self.becomes[label.emotion]
        if index is None:
            return Drop(Reason.CLASS_DROPPED, f"{label.emotion} is not among the classes asked for")
        return index


def _check_name(name: str) -> None:
    """Refuse what tensorflow-datasets' label file, a name a line in UTF-8, cannot hold."""
    lines = name.splitlines()
    if lines != [name.strip()] or "\0" in name or any("\ud800" <= c <= "\udfff" for c in name):
        raise OptionError(
            f"{name!r} cannot be a class: its name must be one line of text; rename the folder, "
            "or give another name with --rename OLD=NEW"
        )


def _start(classes: str, emotions: Iterable[str | None]) -> dict[str, str]:
    """Every known emotion with its class's name, "" where the set leaves it out, in index order."""
    if classes == "talk5":
        kept = {archive: talk for talk, archive in _TALK5.items()}
        return {**kept, **{word: "" for word in EMOTIONS if word not in kept}}
    if classes == "folders":
        return {word: word for word in sorted({e for e in emotions if e})}
    return {word: word for word in EMOTIONS}


def _renamed(start: dict[str, str], renames: Sequence[str]) -> dict[str, str]:
    names = dict(start)
    for pair in renames:
        old, _, new = (part.strip() for part in pair.partition("="))
        known = _known(old, start.values(), "--rename")
        names.update({word: new for word, name in start.items() if name == known})
    return names


def _known(word: str, names: Iterable[str], option: str) -> str:
    """The class that a word of the user's means, in Korean or English."""
    known = [name for name in dict.fromkeys(names) if name]
    for candidate in (word, korean(word)):
        if candidate in known:
            return candidate
    everything = [f"{n} ({ENGLISH[n]})" if n in ENGLISH else n for n in known]
    near = difflib.get_close_matches(word, [*known, *(ENGLISH.get(n, n) for n in known)], 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise OptionError(f"{option} {word}: no such class{hint}; there are {', '.join(everything)}")

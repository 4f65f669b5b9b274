"""Map emotions to the classes of a dataset.

aihub7    기쁨 당황 분노 불안 상처 슬픔 중립     the classes of the archive
talk5     짜증 당황 행복 중립 슬픔               of the talk (README): 분노→짜증, 기쁨→행복
folders   the names of the photos' folders       for any other tree of class folders
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError
from fertools.labels.filename import EMOTIONS, ENGLISH, archive_word, korean_word
from fertools.options import LabelOptions

#: The talk's classes in its order, each with its emotion in the archive; 불안, 상처 are dropped.
_TALK5: Final = {"짜증": "분노", "당황": "당황", "행복": "기쁨", "중립": "중립", "슬픔": "슬픔"}


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The classes of a dataset, and the class of each emotion.

    names     the classes in the order of their indices
    english   the same classes in English
    index_of  the class index of every known emotion, None if its class is dropped
    """

    names: tuple[str, ...]
    english: tuple[str, ...]
    index_of: dict[str, int | None]

    @classmethod
    def of(
        cls,
        options: LabelOptions,
        emotions: Iterable[str | None],
        preset: Mapping[str, str] | None = None,
    ) -> ClassMap:
        """Derive the classes from the options and the photos' emotions.

        preset   a preset's classes in order, each with its English; empty if any word is a class

        Without a preset `options.classes` must not be `auto`. Raises OptionError for an unknown
        class in --rename or --drop, for fewer than two remaining classes, and for a name that is
        not one line of text.
        """
        if preset is None:
            initial = _initial_class_names(options.classes, emotions)
        else:
            initial = {name: name for name in preset or sorted({e for e in emotions if e})}
        english = {**ENGLISH, **(preset or {})}
        renamed = _rename_classes(initial, options.rename)
        dropped = {_find_class(word, renamed.values(), "--drop") for word in options.drop}
        names = tuple(dict.fromkeys(n for n in renamed.values() if n and n not in dropped))
        if len(names) < 2:
            raise OptionError(
                f"only {len(names)} class is left after --drop and --rename: a dataset needs two"
            )
        for name in names:
            _check_class_name(name)
        index = {name: i for i, name in enumerate(names)}
        return cls(
            names=names,
            english=tuple(english.get(name, name) for name in names),
            index_of={word: index.get(name) for word, name in renamed.items()},
        )

    @classmethod
    def of_words(cls, words: Sequence[str]) -> ClassMap:
        """Return classes that are these words, in their order."""
        return cls(tuple(words), tuple(words), {word: i for i, word in enumerate(words)})

    def find(self, word: str, where: str) -> int | Drop:
        """Return the class that a person names, or the reason why it is none of this dataset.

        word    a class or an emotion, in Korean or English
        where   the beginning of the message

        Raises OptionError for any other word.
        """
        for known in (word, korean_word(word)):
            if known in self.names:
                return self.names.index(known)
        if (emotion := archive_word(word)) in self.index_of:
            return self.class_of(Label(emotion))
        return self.names.index(_find_class(word, self.names, where))

    def class_of(self, label: Label) -> int | Drop:
        """Return the class index of a label, or the reason why it has no class."""
        if label.emotion is None:
            return Drop(Reason.NO_LABEL, "neither the name nor the folder says an emotion")
        if label.emotion not in self.index_of:
            return Drop(Reason.NO_LABEL, f"{label.emotion} is no emotion of this class set")
        index = self.index_of[label.emotion]
        if index is None:
            return Drop(Reason.CLASS_DROPPED, f"{label.emotion} is not among the classes asked for")
        return index


def _initial_class_names(classes: str, emotions: Iterable[str | None]) -> dict[str, str]:
    """Return the class of each emotion in index order; "" for an emotion without a class."""
    if classes == "talk5":
        talk = {archive: word for word, archive in _TALK5.items()}
        return talk | {word: "" for word in EMOTIONS if word not in talk}
    if classes == "folders":
        return {word: word for word in sorted({e for e in emotions if e})}
    return {word: word for word in EMOTIONS}


def _rename_classes(initial: dict[str, str], renames: Sequence[str]) -> dict[str, str]:
    names = dict(initial)
    for pair in renames:
        old, _, new = (part.strip() for part in pair.partition("="))
        old_class = _find_class(old, initial.values(), "--rename")
        names.update({word: new for word, name in initial.items() if name == old_class})
    return names


def _find_class(word: str, names: Iterable[str], option: str) -> str:
    """Return the class that the user names in Korean or English. Raises OptionError."""
    known = [name for name in dict.fromkeys(names) if name]
    for candidate in (word, korean_word(word)):
        if candidate in known:
            return candidate
    choices = [f"{n} ({ENGLISH[n]})" if n in ENGLISH else n for n in known]
    near = difflib.get_close_matches(word, [*known, *(ENGLISH.get(n, n) for n in known)], 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise OptionError(f"{option} {word}: no such class{hint}; there are {', '.join(choices)}")


def _check_class_name(name: str) -> None:
    """Raise OptionError if a class name does not fit the label file of tensorflow-datasets.

    The file has one name per line, in UTF-8.
    """
    lines = name.splitlines()
    if lines != [name.strip()] or "\0" in name or any("\ud800" <= c <= "\udfff" for c in name):
        raise OptionError(
            f"{name!r} cannot be a class: its name must be one line of text; rename the folder, "
            "or give another name with --rename OLD=NEW"
        )

"""Label photos by their names and folders, with one interpretation of the whole archive.

Names that follow the archive's grammar contain the label. If the names do not, the class and the
person are levels of the folder tree:

    data / train / happy / anna / 1.jpg
    │      │       │       └ person: a level next to the class whose folders differ
    │      │       └ class: the folder that names an emotion, else the top one
    │      └ split: train, validation, test and the like are never classes, on any level
    └ wrapper: a folder that contains all others

A zip that contains folders is a wrapper, unless its name is an emotion. A zip without folders is
a folder: the class of `sad.zip/1.jpg` is sad, and that of `sad/photos.zip/1.jpg` too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from fertools.data import Label, Split
from fertools.errors import SourceError, printable
from fertools.labels.broken_names import first_broken
from fertools.labels.filename import (
    EMOTIONS,
    ENGLISH,
    archive_word,
    folder_emotion,
    folder_of,
    official_split,
    parse_name,
)
from fertools.options import ClassSet, LabelOptions

#: Emotion words besides those of the archive: they show which level the classes are on.
_OTHER_EMOTIONS: Final = """
happy happily joyful sad sorrow angry disgust disgusted fear fearful afraid scared
surprise surprised astonished calm contempt anxious embarrassed annoyed
excitement excited boredom bored amusement amused confused confusion pain shame
놀람 혐오 공포 두려움 경멸 무표정 평온 당혹 화남 걱정 지루함
"""
_SPLIT_NAMES: Final = """
train training val valid validation test testing dev eval evaluation 학습 훈련 검증 평가
"""
#: Words in folder names that are no persons.
_STORAGE_NAMES: Final = """
data dataset set image images img imgs photo photos picture pictures pic pics face faces
crop crops cropped raw original originals orig new folder part parts batch vol volume
jpg jpeg png 사진 이미지 데이터 원천데이터 얼굴 새
"""
_EMOTION_WORDS: Final = frozenset((*ENGLISH, *ENGLISH.values(), *_OTHER_EMOTIONS.split()))
_SPLIT_WORDS: Final = frozenset(_SPLIT_NAMES.split())
_STORAGE_WORDS: Final = frozenset(_STORAGE_NAMES.split())
_DATE_NAME: Final = re.compile(r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d", re.ASCII)
_WORD: Final = re.compile(r"[^\W\d_]+")

#: Training is divided into train and validation.
_OFFICIAL: Final = {"training": Split.TRAIN, "validation": Split.TEST}

#: Most names listed in a warning.
_MAX_LISTED: Final = 8


@dataclass(frozen=True, slots=True)
class Labeller:
    """Label options (`classes` is not `auto`) and the meaning of the archive's folders.

    warnings   lines for the user that say how folders were interpreted
    """

    options: LabelOptions
    tree: FolderTree
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: LabelOptions, keys: Sequence[str]) -> Labeller:
        """Replace `auto` and find the meaning of each folder level, from the keys of all photos.

        `auto` becomes `aihub7` if any name follows the archive's grammar or if all class folders
        are the archive's emotions, else `folders`. Raises SourceError if neither names nor folders
        have classes, and OptionError if the classes are folders but annotators decide.
        """
        folders = Counter(map(folder_of, keys))
        tree = FolderTree.of(folders)
        named = options.classes != "folders" and any(map(parse_name, keys))
        if options.classes == "auto":
            classes = "aihub7" if named else _choose_class_set(tree, folders, keys)
            options = replace(options, classes=classes)
        labeller = cls(options, tree)
        if named:
            return labeller
        used = [folder for folder in folders if labeller._label_by_folder(folder).emotion]
        return replace(labeller, warnings=(*_describe_broken(keys), *tree.describe(used)))

    def label(self, key: str) -> Label:
        """Return the label in a photo's name or, if the name has none, in its folders."""
        named = parse_name(key)
        if named is None:
            return self._label_by_folder(folder_of(key))
        if self.options.classes == "folders":
            return replace(named, emotion=self._label_by_folder(folder_of(key)).emotion)
        return named

    def official_split(self, key: str) -> Split | None:
        """Return the split of AI-Hub's own that a photo is used for: its Validation is test."""
        return _OFFICIAL.get(official_split(key) or "")

    def _label_by_folder(self, folder: str) -> Label:
        word, person = _class_and_person(self.tree, folder)
        if self.options.classes == "folders":
            return Label(emotion=word, subject=person)
        emotion = archive_word(word) if word else None
        if emotion in EMOTIONS:
            return Label(emotion=emotion, subject=person)
        return Label(emotion=folder_emotion(folder))


def _choose_class_set(tree: FolderTree, folders: Iterable[str], keys: Iterable[str]) -> ClassSet:
    classes = {word for folder in folders if (word := _class_and_person(tree, folder)[0])}
    if classes and all(archive_word(word) in EMOTIONS for word in classes):
        return "aihub7"
    if len(classes) > 1:
        return "folders"
    if broken := _describe_broken(keys):
        raise SourceError(broken[0])
    raise SourceError(
        "no photo's name or folder says a class: name the photos as AI-Hub does, "
        "or put them into one folder per class"
    )


def _describe_broken(keys: Iterable[str]) -> tuple[str, ...]:
    """Return a line on names that are Korean in another encoding; () without any."""
    if not (broken := first_broken(keys)):
        return ()
    name, meant = map(printable, broken)
    return (
        f"names look broken: {name} is {meant}: give the zips as they were downloaded, not a "
        "folder that they were unpacked to",
    )


class _Step(NamedTuple):
    """A folder or zip on a photo's path that may be a class or person; level 1 is below SRC."""

    level: int
    name: str
    is_zip: bool


_Path = tuple[_Step, ...]
_FolderRows = list[tuple[_Path, int]]  # each folder, and the number of photos directly in it


@dataclass(frozen=True, slots=True)
class FolderTree:
    """The meaning of the folder levels of an archive. A path omits splits and wrapping zips.

    class_depth        index of the class in a path, from 0
    has_emotion_words  whether the classes were recognised by emotion words
    zips_are_wrappers  whether zips that contain folders are wrappers
    person_offset      index of the person minus that of the class; 0 if there are no persons
    """

    class_depth: int = 0
    has_emotion_words: bool = False
    zips_are_wrappers: bool = True
    person_offset: int = 0

    @classmethod
    def of(cls, folders: Mapping[str, int]) -> FolderTree:
        """Interpret the folders, each with the number of photos directly in it.

        >>> tree = FolderTree.of({"data/happy/anna": 9, "data/happy/ben": 5, "data/sad/anna": 7})
        >>> _class_and_person(tree, "data/sad/anna")
        ('sad', 'anna')
        """
        tree = cls()
        rows = tree._parse_folders(folders)
        depth = _find_emotion_depth(rows)
        if depth is not None:
            tree = replace(tree, class_depth=depth, has_emotion_words=True)
        else:
            tree = replace(tree, class_depth=_find_top_depth(rows))
            classes = {
                path[at].name for path, _ in rows if (at := tree._class_index(path)) is not None
            }
            if len(classes) < 2:
                tree = cls(zips_are_wrappers=False)
                rows = tree._parse_folders(folders)
                tree = replace(tree, class_depth=_find_top_depth(rows))
        return replace(tree, person_offset=tree._find_person_offset(rows))

    def describe(self, folders: Iterable[str]) -> tuple[str, ...]:
        """Return a line about the levels of classes and persons; () if all classes lie in SRC."""
        paths = [p for p in map(self._parse_folder, folders) if self._class_index(p) is not None]
        if all(len(path) == 1 and path[0].level == 1 for path in paths):
            return ()
        classes = [path[at] for path in paths if (at := self._class_index(path)) is not None]
        line = f"classes from the folders {_describe_level(classes)}"
        if people := [step for path in paths if (step := self._person_step(path))]:
            line += f"; persons from those {_describe_level(people)}"
        return (line,)

    def _parse_folders(self, folders: Mapping[str, int]) -> _FolderRows:
        return [(self._parse_folder(folder), photos) for folder, photos in folders.items()]

    def _parse_folder(self, folder: str) -> _Path:
        return tuple(_parse_steps(folder, self.zips_are_wrappers))

    def _class_index(self, path: _Path) -> int | None:
        here = self.class_depth if len(path) > self.class_depth else None
        if not self.has_emotion_words or (here is not None and _is_emotion(path[here].name)):
            return here
        emotions = [i for i, step in enumerate(path) if _is_emotion(step.name)]
        return emotions[-1] if emotions else here

    def _person_step(self, path: _Path) -> _Step | None:
        at = self._class_index(path)
        if not self.person_offset or at is None or not 0 <= at + self.person_offset < len(path):
            return None
        step = path[at + self.person_offset]
        return None if step.is_zip else step

    def _find_person_offset(self, rows: _FolderRows) -> int:
        """Return `person_offset`: 1 or 2 below the class, else -1 above it, else 0.

        Below the class two different names of persons are enough. Above it three are needed,
        because that level may also contain collections of photos.
        """
        for offset, min_names in ((1, 2), (2, 2), (-1, 3)):
            tree = replace(self, person_offset=offset)
            names = {step.name for path, _ in rows if (step := tree._person_step(path))}
            if sum(map(_can_be_person, names)) >= min_names:
                return offset
        return 0


@lru_cache(maxsize=4096)
def _class_and_person(tree: FolderTree, folder: str) -> tuple[str | None, str | None]:
    """Return the class and the person of the photos in a folder, None if unknown."""
    path = tree._parse_folder(folder)
    at, person = tree._class_index(path), tree._person_step(path)
    return (None if at is None else path[at].name), person and person.name


def _parse_steps(folder: str, zips_are_wrappers: bool) -> Iterator[_Step]:
    words = folder.split("/")
    for level, word in enumerate(words, start=1):
        is_zip = word[-4:].lower() == ".zip"
        name = (word[:-4] if is_zip else word).strip()
        is_wrapper = is_zip and zips_are_wrappers and level < len(words) and not _is_emotion(name)
        if name and not is_wrapper and not _is_split(name):
            yield _Step(level, name, is_zip)


def _find_emotion_depth(rows: _FolderRows) -> int | None:
    """Return the folder depth at which most photos have an emotion word; on a tie the smallest.

    A depth counts only with two different emotion words, or if all photos lie there: a single word
    may be a name. Returns None if no depth counts.
    """
    words: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for path, photos in rows:
        for depth, step in enumerate(path):
            if _is_emotion(step.name):
                words[depth][step.name.casefold()] += photos
    all_photos = sum(photos for _, photos in rows)
    photos_at = {d: c.total() for d, c in words.items() if len(c) > 1 or c.total() == all_photos}
    return min(photos_at, key=lambda depth: (-photos_at[depth], depth), default=None)


def _find_top_depth(rows: _FolderRows) -> int:
    """Return the first depth below the wrappers, the folders that contain all others."""
    depth = 0
    while True:
        names = {path[depth].name for path, _ in rows if len(path) > depth}
        inside = sum(photos for path, photos in rows if len(path) == depth + 1)
        deeper = sum(photos for path, photos in rows if len(path) > depth + 1)
        if len(names) != 1 or deeper <= inside:
            return depth
        depth += 1


def _is_emotion(name: str) -> bool:
    words = _split_words(name)
    return len(words) == 1 and words[0] in _EMOTION_WORDS


def _is_split(name: str) -> bool:
    words = set(_split_words(name))
    return bool(words & _SPLIT_WORDS) and words <= _SPLIT_WORDS | _STORAGE_WORDS


def _can_be_person(name: str) -> bool:
    words = _split_words(name)
    if _is_emotion(name) or _DATE_NAME.fullmatch(name):
        return False
    return not words or not _STORAGE_WORDS.issuperset(words)


def _split_words(name: str) -> list[str]:
    """Return the words of a name in lower case, without digits and punctuation.

    >>> _split_words("01_Happy-faces")
    ['happy', 'faces']
    """
    return _WORD.findall(name.casefold())


def _describe_level(steps: list[_Step]) -> str:
    """Return the most frequent level of steps and all their names: "at level 2: happy, sad"."""
    level = Counter(step.level for step in steps).most_common(1)[0][0]
    names = sorted({step.name for step in steps})
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return f"at level {level}: {', '.join(names[:_MAX_LISTED])}{more}"

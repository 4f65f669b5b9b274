"""Find the class and the person of a photo in a tree of folders whose file names say neither.

    data / train / happy / anna / 1.jpg
    │      │       │       └ person: a level next to the class whose folders differ
    │      │       └ class: the folder that names an emotion, else the top one
    │      └ split: train, validation, test and the like are no class on any level
    └ wrapper: a folder that holds all others

A zip with folders inside is a wrapper, unless its name is an emotion; without folders inside it
counts as a folder, so `sad.zip/1.jpg` is of class sad and `sad/photos.zip/1.jpg` as well.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from fertools.data import Label
from fertools.errors import SourceError
from fertools.labels.filename import (
    EMOTIONS,
    ENGLISH,
    archive_word,
    folder_emotion,
    folder_of,
    parse_name,
)
from fertools.options import ClassSet, LabelOptions

#: Words by which the level of the classes is recognised, whatever else lies on that level.
_EMOTIONS: Final = """
happy happily joyful sad sorrow angry disgust disgusted fear fearful afraid scared
surprise surprised astonished calm contempt anxious embarrassed annoyed
excitement excited boredom bored amusement amused confused confusion pain shame
놀람 혐오 공포 두려움 경멸 무표정 평온 당혹 화남 걱정 지루함
"""
_SPLITS: Final = """
train training val valid validation test testing dev eval evaluation 학습 훈련 검증 평가
"""
#: Words of folders that say nothing of whom they hold.
_STORAGE: Final = """
data dataset set image images img imgs photo photos picture pictures pic pics face faces
crop crops cropped raw original originals orig new folder part parts batch vol volume
jpg jpeg png 사진 이미지 데이터 원천데이터 얼굴 새
"""
_EMOTION_WORDS: Final = frozenset((*ENGLISH, *ENGLISH.values(), *_EMOTIONS.split()))
_SPLIT_WORDS: Final = frozenset(_SPLITS.split())
_STORAGE_WORDS: Final = frozenset(_STORAGE.split())
_DATE: Final = re.compile(r"(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d", re.ASCII)
_WORD: Final = re.compile(r"[^\W\d_]+")

#: Names that a line lists.
_LISTED: Final = 8


class _Step(NamedTuple):
    """A folder or zip on a photo's path that may mean something; levels count from 1 below SRC."""

    level: int
    name: str
    zipped: bool


_Path = tuple[_Step, ...]
_Rows = list[tuple[_Path, int]]


@dataclass(frozen=True, slots=True)
class Tree:
    """What the levels of an archive's folders mean.

    depth      the class's position among the steps that are neither splits nor wrapping zips
    by_words   whether the classes were recognised by words for emotions
    open_zips  whether zips with folders inside are wrappers
    person     steps from the class to the person, negative above it; 0 where none was found
    """

    depth: int = 0
    by_words: bool = False
    open_zips: bool = True
    person: int = 0

    @classmethod
    def of(cls, folders: Mapping[str, int]) -> Tree:
        """Read the levels from the photos' folders and how many photos lie directly in each.

        >>> tree = Tree.of({"data/happy/anna": 9, "data/happy/ben": 5, "data/sad/anna": 7})
        >>> tree.read("data/sad/anna")
        ('sad', 'anna')
        """
        tree = cls()
        rows = tree._rows(folders)
        depth = _emotion_depth(rows)
        if depth is not None:
            tree = replace(tree, depth=depth, by_words=True)
        else:
            tree = replace(tree, depth=_top(rows))
            if len(tree._classes(rows)) < 2:
                tree = cls(open_zips=False)
                rows = tree._rows(folders)
                tree = replace(tree, depth=_top(rows))
        return replace(tree, person=tree._find_person(rows))

    def read(self, folder: str) -> tuple[str | None, str | None]:
        """Return class and person of the photos in a folder, None for what it does not say."""
        return _read(self, folder)

    def told(self, folders: Iterable[str]) -> tuple[str, ...]:
        """Return a line on the levels taken, unless each class is a folder of SRC itself."""
        paths = [path for path in map(self._path, folders) if self._at(path) is not None]
        if all(len(path) == 1 and path[0].level == 1 for path in paths):
            return ()
        classes = [path[at] for path in paths if (at := self._at(path)) is not None]
        found = f"classes from the folders {_levels(classes)}"
        people = [step for path in paths if (step := self._person_step(path))]
        persons = f"; persons from those {_levels(people)}" if people else ""
        return (found + persons,)

    def _rows(self, folders: Mapping[str, int]) -> _Rows:
        return [(self._path(folder), photos) for folder, photos in folders.items()]

    def _path(self, folder: str) -> _Path:
        return tuple(_steps(folder, self.open_zips))

    def _at(self, path: _Path) -> int | None:
        """Return the position of the class on a path."""
        here = self.depth if len(path) > self.depth else None
        if not self.by_words or (here is not None and _is_emotion(path[here].name)):
            return here
        known = [i for i, step in enumerate(path) if _is_emotion(step.name)]
        return known[-1] if known else here

    def _person_step(self, path: _Path) -> _Step | None:
        at = self._at(path)
        if not self.person or at is None or not 0 <= at + self.person < len(path):
            return None
        step = path[at + self.person]
        return None if step.zipped else step

    def _classes(self, rows: _Rows) -> set[str]:
        return {path[at].name for path, _ in rows if (at := self._at(path)) is not None}

    def _find_person(self, rows: _Rows) -> int:
        """Return where persons are, seen from the class: below it, else above it.

        Two different folders are enough below a class. Above, where collections may lie as well,
        it takes three.
        """
        for steps, least in ((1, 2), (2, 2), (-1, 3)):
            tree = replace(self, person=steps)
            found = {step.name for path, _ in rows if (step := tree._person_step(path))}
            if sum(map(_may_be_person, found)) >= least:
                return steps
        return 0


@lru_cache(maxsize=4096)
def _read(tree: Tree, folder: str) -> tuple[str | None, str | None]:
    path = tree._path(folder)
    at, person = tree._at(path), tree._person_step(path)
    return (None if at is None else path[at].name), person and person.name


def _steps(folder: str, open_zips: bool) -> Iterator[_Step]:
    words = folder.split("/")
    for level, word in enumerate(words, start=1):
        zipped = word[-4:].lower() == ".zip"
        name = (word[:-4] if zipped else word).strip()
        wraps = zipped and open_zips and level < len(words) and not _is_emotion(name)
        if name and not wraps and not _is_split(name):
            yield _Step(level, name, zipped)


def _emotion_depth(rows: _Rows) -> int | None:
    """Return the position at which most photos have an emotion's word; of equals the first.

    One word alone may be a person's or a thing's name, unless all photos lie there.
    """
    words: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for path, photos in rows:
        for depth, step in enumerate(path):
            if _is_emotion(step.name):
                words[depth][step.name.casefold()] += photos
    all_photos = sum(photos for _, photos in rows)
    sure = {d: c.total() for d, c in words.items() if len(c) > 1 or c.total() == all_photos}
    return min(sure, key=lambda depth: (-sure[depth], depth), default=None)


def _top(rows: _Rows) -> int:
    """Return the first position that is no wrapper, a folder that holds all the others."""
    depth = 0
    while True:
        names = {path[depth].name for path, _ in rows if len(path) > depth}
        inside = sum(photos for path, photos in rows if len(path) == depth + 1)
        deeper = sum(photos for path, photos in rows if len(path) > depth + 1)
        if len(names) != 1 or deeper <= inside:
            return depth
        depth += 1


def _is_emotion(name: str) -> bool:
    words = _words(name)
    return len(words) == 1 and words[0] in _EMOTION_WORDS


def _is_split(name: str) -> bool:
    words = set(_words(name))
    return bool(words & _SPLIT_WORDS) and words <= _SPLIT_WORDS | _STORAGE_WORDS


def _may_be_person(name: str) -> bool:
    words = _words(name)
    if _is_emotion(name) or _DATE.fullmatch(name):
        return False
    return not words or not _STORAGE_WORDS.issuperset(words)


def _words(name: str) -> list[str]:
    """Return the words of a name without digits and signs.

    >>> _words("01_Happy-faces")
    ['happy', 'faces']
    """
    return _WORD.findall(name.casefold())


def _levels(steps: list[_Step]) -> str:
    """Name the level of most steps and what is called there, such as "at level 2: happy, sad"."""
    level = Counter(step.level for step in steps).most_common(1)[0][0]
    names = sorted({step.name for step in steps})
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"at level {level}: {', '.join(names[:_LISTED])}{more}"


@dataclass(frozen=True, slots=True)
class Labeller:
    """A rule without `auto`, and what the archive's folders mean.

    notes   what the user should know of how folders were read, a line each
    """

    rule: LabelOptions
    tree: Tree
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: LabelOptions, keys: Sequence[str]) -> Labeller:
        """Look at the keys of all photos to decide what `auto` and each level of folders mean.

        `auto` is `aihub7` where a name follows the archive's grammar or all folders are the
        archive's emotions, else `folders`. Raises SourceError where names and folders say
        nothing at all, and OptionError where the classes are folders and the annotators are asked.
        """
        folders = Counter(map(folder_of, keys))
        tree = Tree.of(folders)
        named = rule.classes != "folders" and any(map(parse_name, keys))
        if rule.classes == "auto":
            rule = replace(rule, classes="aihub7" if named else _resolved(tree, folders))
        labeller = cls(rule, tree)
        used = [folder for folder in folders if labeller._of_folder(folder).emotion]
        return replace(labeller, notes=() if named else tree.told(used))

    def label(self, key: str) -> Label:
        """Read a photo's label from its key; a name that follows the grammar says most."""
        named = parse_name(key)
        if named is None:
            return self._of_folder(folder_of(key))
        if self.rule.classes == "folders":
            return replace(named, emotion=self._of_folder(folder_of(key)).emotion)
        return named

    def _of_folder(self, folder: str) -> Label:
        word, person = self.tree.read(folder)
        if self.rule.classes == "folders":
            return Label(emotion=word, subject=person)
        emotion = archive_word(word) if word else None
        if emotion in EMOTIONS:
            return Label(emotion=emotion, subject=person)
        return Label(emotion=folder_emotion(folder))


def _resolved(tree: Tree, folders: Iterable[str]) -> ClassSet:
    classes = {word for folder in folders if (word := tree.read(folder)[0])}
    if classes and all(archive_word(word) in EMOTIONS for word in classes):
        return "aihub7"
    if len(classes) > 1:
        return "folders"
    raise SourceError(
        "no photo's name or folder says a class: name the photos as AI-Hub does, "
        "or put them into one folder per class"
    )

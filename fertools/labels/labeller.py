"""Label photos by what their names and folders say, under one rule for a whole archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fertools.data import Label
from fertools.errors import SourceError
from fertools.labels.classes import ClassSet, LabelRule
from fertools.labels.name import folder_emotion, folder_of, parse_name
from fertools.labels.tree import Tree
from fertools.labels.words import EMOTIONS, archive_word


@dataclass(frozen=True, slots=True)
class Labeller:
    """A rule without `auto`, and what the archive's folders mean.

    notes   what the user should know of how folders were read, a line each
    """

    rule: LabelRule
    tree: Tree
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: LabelRule, keys: Sequence[str]) -> Labeller:
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

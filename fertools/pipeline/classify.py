"""Decide the class of every member: by the rule of --labels, then by a person's corrections.

    name, words of uploader, A, B, C ──pattern──▶ rule ──▶ class or drop ──corrections──▶ the same

The rule is applied once for each pattern, not for each photo: half a million photos with seven
emotions have a few thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fertools.archive.members import Members
from fertools.columns import Ints, Words
from fertools.data import Drop, Label
from fertools.errors import OptionError
from fertools.labels.classes import ClassMap
from fertools.labels.corrections import Correction, Corrections
from fertools.labels.counted_votes import CountedVotes
from fertools.labels.votes import Likely, VoteTable, decide_emotion
from fertools.options import LabelOptions
from fertools.votes import dawid_skene

Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Classes:
    """The class of each member, int32, (members,), or -1 - i where drops[i] says why it has none.

    corrected   by row, what a person changed: "슬픔 → 불안 by kim: she is afraid"
    """

    class_or_drop: Codes
    drops: tuple[Drop, ...]
    corrected: dict[int, str] = field(default_factory=dict)

    @classmethod
    def by_rule(
        cls,
        options: LabelOptions,
        classes: ClassMap,
        members: Members,
        emotions: Words,
        table: VoteTable | CountedVotes,
    ) -> Classes:
        """Apply the rule of --labels; `emotions` are those in the members' names."""
        drops = _Drops(members.drops)
        if options.rule.by_name:
            names = [*emotions.words, None]  # code -1 is None
            decided = [drops.code(classes.class_of(Label(name))) for name in names]
            codes = np.array(decided, np.int32)[emotions.codes]
        else:
            found, pattern_of = _decide(options, classes, emotions, table)
            codes = np.array([drops.code(each) for each in found], np.int32)[pattern_of]
        dropped = members.dropped
        codes = np.where(dropped >= 0, -1 - dropped, codes).astype(np.int32)
        return cls(codes, drops.all)

    def overruled(
        self, classes: ClassMap, corrections: Corrections, by_row: Mapping[int, Correction]
    ) -> Classes:
        """Return the classes after a person's corrections.

        Raises OptionError for a correction to a class that does not exist.
        """
        drops, codes, texts = _Drops(self.drops), self.class_or_drop.copy(), {}
        for row, correction in by_row.items():
            before, after = int(codes[row]), drops.code(corrections.class_of(correction, classes))
            if before != after:
                change = " → ".join(drops.word(code, classes) for code in (before, after))
                codes[row], texts[row] = after, f"{change} {correction.reason}"
        return Classes(codes, drops.all, texts)


class _Drops:
    """Different drops, numbered as they come."""

    def __init__(self, known: Iterable[Drop]) -> None:
        self._numbers = {drop: number for number, drop in enumerate(known)}

    @property
    def all(self) -> tuple[Drop, ...]:
        return tuple(self._numbers)

    def code(self, found: int | Drop) -> int:
        """Return a class as it is, and -1 - i for a drop with the number i."""
        if isinstance(found, Drop):
            return -1 - self._numbers.setdefault(found, len(self._numbers))
        return found

    def word(self, code: int, classes: ClassMap) -> str:
        return classes.names[code] if code >= 0 else str(self.all[-1 - code].reason)


def _decide(
    options: LabelOptions, classes: ClassMap, emotions: Words, table: VoteTable | CountedVotes
) -> tuple[list[int | Drop], Ints]:
    """Return the class or drop of each pattern of names and words, and the pattern of each row."""
    names = [*emotions.words, None]  # code -1 is None
    patterns = table.patterns() * len(names) + emotions.codes + 1
    _, first, pattern_of = np.unique(patterns, return_index=True, return_inverse=True)
    found: list[int | Drop] = []
    for row, likely in zip(
        first.tolist(), _most_likely(options, classes, table, first), strict=True
    ):
        emotion = decide_emotion(options, names[emotions.codes[row]], table.spoken(row), likely)
        found.append(emotion if isinstance(emotion, Drop) else classes.class_of(Label(emotion)))
    return found, pattern_of


def _most_likely(
    options: LabelOptions, classes: ClassMap, table: VoteTable | CountedVotes, rows: Ints
) -> list[Likely] | list[None]:
    """Return what some rows show most probably, given all that was said of all photos."""
    if not options.rule.probability:
        return [None] * len(rows)
    words = table.emotions
    chosen_from = ClassMap.of_words(words)
    votes, uploader = table.votes(rows, chosen_from), table.uploader(rows, chosen_from)
    model, known = _fit(options, table)
    posterior = np.zeros(votes.shape)
    posterior[:, known] = model.posterior(votes[:, known], _renumbered(uploader, known))
    # Emotions that are one class in this dataset count together; one without a class stays alone.
    of_class = [classes.index_of.get(word) for word in words]
    alone = range(len(classes.names), len(classes.names) + len(words))
    groups = np.array(
        [own if own is not None else i for own, i in zip(of_class, alone, strict=True)]
    )
    by_group = posterior @ (groups[:, np.newaxis] == np.arange(alone.stop))
    best = by_group.argmax(axis=1)
    emotion = np.where(groups == best[:, np.newaxis], posterior, -1).argmax(axis=1)
    probability = by_group.max(axis=1)
    # The model knows nothing of an emotion that no photo is named by, whatever annotators say.
    strange = np.flatnonzero(~known[votes.argmax(axis=1)])
    emotion[strange], probability[strange] = votes.argmax(axis=1)[strange], 0
    return [
        Likely(words[number], chance)
        for number, chance in zip(emotion.tolist(), probability.tolist(), strict=True)
    ]


def _fit(
    options: LabelOptions, table: VoteTable | CountedVotes
) -> tuple[dawid_skene.DawidSkene, NDArray[np.bool_]]:
    """Fit the model to all photos with a record; return it and the emotions that it knows.

    The uploader has a separate confusion matrix. The model knows the emotions that an uploader
    says, bool, (emotions,): more would divide one class of an archive of few classes arbitrarily.
    """
    recorded = np.flatnonzero(table.recorded)
    # What annotators choose from, whatever classes the dataset has.
    chosen_from = ClassMap.of_words(table.emotions)
    votes, uploader = (of(recorded, chosen_from) for of in (table.votes, table.uploader))
    known = np.isin(np.arange(len(table.emotions)), uploader)
    known |= not known.any()
    if not votes[:, known].any():
        raise OptionError(
            f"--labels {options.labels}: no annotator names an emotion in the label files: "
            "use --labels name"
        )
    return dawid_skene.fit(votes[:, known], _renumbered(uploader, known)), known


def _renumbered(uploader: Ints, known: NDArray[np.bool_]) -> Ints:
    """Number the known emotions from 0; -1 for others and for none."""
    numbers = np.where(known, np.cumsum(known) - 1, -1)
    renumbered: Ints = np.append(numbers, -1)[uploader]
    return renumbered

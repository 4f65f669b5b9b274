"""Schedule: who is photographed when, in the archive's proportions; a pure function of the seed.

    people ──unequal──▶ sessions of about four shots ──a tenth──▶ Validation
                        │  emotions in turn                 the rest ──▶ Training
                        └─ orientations by quota

Quotas, not chance, wherever the archive's share is known: 84 sessions are too few to leave
5.8 % of them to chance.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import numpy as np

from fertools.hashing import rank
from fertools.sample.people import EXPRESSIONS, Person, dice
from fertools.sample.setting import PLACES, SHARES, Place

SHOTS = 4  # a session, on average: 30,000 of the archive's names are 7,278 sessions
JPEG_EVERY = 50  # 2 % are called .jpeg
FIRST_DAY = datetime(2021, 1, 1)
DAYS = 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """All shots, by the official half they lie in, in the order in which they were taken."""

    training: tuple[Shot, ...]
    validation: tuple[Shot, ...]

    def __post_init__(self) -> None:
        """Refuse two shots of one name."""
        names = Counter(shot.name for shot in self.training + self.validation)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two shots are called {twice[0]}")


def schedule(seed: int, people: int, photos: int) -> Schedule:
    """Plan who is photographed when: `photos` shots of `people`, each of whom has at least one."""
    sessions = _sessions(seed, people, max(people, -(-photos // SHOTS)))
    lengths = dict(zip(sessions, _lengths(seed, len(sessions), photos), strict=True))
    held_out = _validation(seed, lengths)
    halves: tuple[list[Shot], list[Shot]] = ([], [])
    number = 0
    for session, length in lengths.items():
        for shot in _shots(seed, session, length, number):
            halves[session.key in held_out].append(shot)
        number += length
    return Schedule(tuple(halves[0]), tuple(halves[1]))


def _sessions(seed: int, people: int, count: int) -> list[Session]:
    """Give everybody's sessions, one person after the other and the emotions in turn.

    Emotions go round without a break from one person to the next, so they are equally frequent
    to within one session, and whoever has seven shows all seven.
    """
    owners = np.repeat(np.arange(people), _unequal(seed, people, count))
    who = [Person.drawn(seed, str(number)) for number in range(people)]
    held = _orientations(seed, count)
    emotions = list(EXPRESSIONS)
    sessions = []
    for i, owner in enumerate(owners.tolist()):
        roll = dice(seed, "session", i)
        day, second = int(roll.integers(DAYS)), int(roll.integers(8 * 3600, 20 * 3600))
        start = FIRST_DAY + timedelta(days=day, seconds=second)
        place = PLACES[int(roll.integers(len(PLACES)))]
        sessions.append(Session(str(i), who[owner], emotions[i % 7], place, start, held[i]))
    return sessions


def _unequal(seed: int, people: int, count: int) -> list[int]:
    """Divide `count` sessions among people: one each, the rest by lognormal weights."""
    weights = np.exp(dice(seed, "weights").normal(0, 0.6, people))
    steps = np.rint(np.cumsum(weights) / weights.sum() * (count - people)).astype(int)
    return [1 + int(n) for n in np.diff(steps, prepend=0)]


def _lengths(seed: int, sessions: int, photos: int) -> list[int]:
    """Give each session three to five shots where that adds up to `photos`, else what does.

    What one session has more, the next of the same emotion has less: 7 sessions on.
    """
    even = np.diff(np.arange(sessions + 1) * photos // sessions)
    if even.min() >= 2:
        rounds = sessions // 14
        more = dice(seed, "lengths").integers(-1, 2, (rounds, 1, 7))
        even[: 14 * rounds] += np.concatenate([more, -more], axis=1).ravel()
    return [int(n) for n in even]


def _orientations(seed: int, count: int) -> list[int | None]:
    """Give each session's EXIF orientation, by quota: the k-th of n stands at (k + ½) / n."""
    tags, bounds = list(SHARES), list(accumulate(SHARES.values()))
    order = sorted(range(count), key=lambda i: rank(seed, str(i), "orientation"))
    held: list[int | None] = [None] * count
    for k, i in enumerate(order):
        at = (k + 0.5) / count * bounds[-1]
        held[i] = next(t for t, bound in zip(tags, bounds, strict=True) if at < bound)
    return held


def _validation(seed: int, lengths: dict[Session, int]) -> set[str]:
    """Choose the sessions of Validation: a tenth of the photos.

    The smallest person lies there whole if half of that tenth has room for them; the others are
    in Training too, for the archive's official halves share people.
    """
    room = sum(lengths.values()) // 10
    sizes: Counter[str] = Counter()
    for session, length in lengths.items():
        sizes[session.person.subject] += length
    smallest = min(sizes, key=lambda subject: (sizes[subject], subject))
    whole = smallest if sizes[smallest] <= room / 2 else ""
    chosen: set[str] = set()
    order = sorted(lengths, key=lambda s: (s.person.subject != whole, rank(seed, s.key, "half")))
    for session in order:
        if lengths[session] <= room:
            chosen.add(session.key)
            room -= lengths[session]
    return chosen


def _shots(seed: int, session: Session, length: int, number: int) -> list[Shot]:
    roll = dice(seed, "shots", session.key)
    first = int(roll.integers(1, 17))
    after = np.cumsum(roll.integers(1, 4, length)).tolist()
    endings = ["jpeg" if (number + i) % JPEG_EVERY == 7 else "jpg" for i in range(length)]
    return [Shot(session, first + i, after[i], endings[i]) for i in range(length)]


@dataclass(frozen=True, slots=True)
class Session:
    """Who is photographed, with which emotion, where and when, and how the phone
    is held: an EXIF orientation, or None for a photo without the tag."""

    key: str  # what its dice are thrown for
    person: Person
    emotion: str
    place: Place
    start: datetime
    orientation: int | None

    def __post_init__(self) -> None:
        """Refuse an emotion that nobody can show and a tag that no phone writes."""
        if self.emotion not in EXPRESSIONS:
            raise ValueError(f"emotion must be one of {', '.join(EXPRESSIONS)}, not {self.emotion}")
        if self.orientation is not None and not 0 <= self.orientation <= 8:
            raise ValueError(f"orientation must be 0 to 8 or None, not {self.orientation}")


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo of a session; `number` is the last field of its name, `after` its seconds."""

    session: Session
    number: int
    after: int
    ending: str = "jpg"

    def __post_init__(self) -> None:
        """Refuse a number that the name has no room for."""
        if not 1 <= self.number <= 999:
            raise ValueError(f"shot number must be 1 to 999, not {self.number}")

    @property
    def name(self) -> str:
        """The file's name, in the archive's grammar.

        `<subject>_<sex>_<age>_<emotion>_<place>_<YYYYMMDDhhmmss>-<place code>-<shot>.<ext>`
        """
        s, p = self.session, self.session.person
        stamp = (s.start + timedelta(seconds=self.after)).strftime("%Y%m%d%H%M%S")
        tail = f"{stamp}-{s.place.code:03}-{self.number:03}.{self.ending}"
        return f"{p.subject}_{p.sex}_{p.age}_{s.emotion}_{s.place.name}_{tail}"

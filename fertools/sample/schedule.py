"""Plan which person is photographed when, in the archive's proportions, from the seed alone.

    people ──unequal──▶ sessions of about four shots ──a tenth──▶ Validation
                        │  emotions in turn                 the rest ──▶ Training
                        └─ orientations by quota

Where the archive's ratio is known, quotas are used, not chance: 84 sessions are too few to leave
5.8 % of them to chance.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

import numpy as np

from fertools.hashing import rank
from fertools.sample.people import EXPRESSIONS, Person, rng_for
from fertools.sample.setting import ORIENTATION_SHARES, PLACES, Place

SHOTS: Final = 4  # a session, on average: 30,000 of the archive's names are 7,278 sessions
JPEG_EVERY: Final = 50  # 2 % are called .jpeg
FIRST_DAY: Final = datetime(2021, 1, 1)
DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """All shots of the two official halves, in the order in which they were taken."""

    training: tuple[Shot, ...]
    validation: tuple[Shot, ...]

    def __post_init__(self) -> None:
        names = Counter(shot.name for shot in self.training + self.validation)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two shots have the name {twice[0]}")


@dataclass(frozen=True, slots=True)
class Session:
    """One person, one emotion, one place, a few shots within seconds of each other.

    `orientation` is the EXIF orientation, or None for photos without the tag.
    """

    key: str  # of its random generators
    person: Person
    emotion: str
    place: Place
    start: datetime
    orientation: int | None


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo of a session, `after` seconds from its start; `number` is in its name."""

    session: Session
    number: int
    after: int
    ending: str = "jpg"

    @property
    def name(self) -> str:
        """The file's name in the archive's format.

        `<subject>_<sex>_<age>_<emotion>_<place>_<YYYYMMDDhhmmss>-<place code>-<shot>.<ext>`
        """
        s, p = self.session, self.session.person
        stamp = (s.start + timedelta(seconds=self.after)).strftime("%Y%m%d%H%M%S")
        tail = f"{stamp}-{s.place.code:03}-{self.number:03}.{self.ending}"
        return f"{p.subject}_{p.sex}_{p.age}_{s.emotion}_{s.place.name}_{tail}"


def schedule(seed: int, people: int, photos: int) -> Schedule:
    """Return a plan of `photos` shots of `people` people, at least one of each."""
    sessions = _sessions(seed, people, max(people, -(-photos // SHOTS)))
    lengths = dict(zip(sessions, _lengths(seed, len(sessions), photos), strict=True))
    held_out = _validation(seed, lengths)
    training: list[Shot] = []
    validation: list[Shot] = []
    for session, length in lengths.items():
        half = validation if session.key in held_out else training
        half += _shots(seed, session, length, len(training) + len(validation))
    return Schedule(tuple(training), tuple(validation))


def _sessions(seed: int, people: int, count: int) -> list[Session]:
    """Return the sessions of all people, one person after the other and the emotions in turn.

    The sequence of emotions continues from one person to the next, so they are equally frequent to
    within one session, and a person with seven sessions shows all seven.
    """
    owners = np.repeat(np.arange(people), _unequal(seed, people, count))
    persons = [Person.drawn(seed, str(number)) for number in range(people)]
    held = _orientations(seed, count)
    emotions = list(EXPRESSIONS)
    sessions = []
    for i, owner in enumerate(owners.tolist()):
        rng = rng_for(seed, "session", i)
        day, second = int(rng.integers(DAYS)), int(rng.integers(8 * 3600, 20 * 3600))
        start = FIRST_DAY + timedelta(days=day, seconds=second)
        place = PLACES[int(rng.integers(len(PLACES)))]
        sessions.append(Session(str(i), persons[owner], emotions[i % 7], place, start, held[i]))
    return sessions


def _unequal(seed: int, people: int, count: int) -> list[int]:
    """Divide `count` sessions among people: one each, the rest by lognormal weights."""
    weights = np.exp(rng_for(seed, "weights").normal(0, 0.6, people))
    steps = np.rint(np.cumsum(weights) / weights.sum() * (count - people)).astype(int)
    return [1 + int(n) for n in np.diff(steps, prepend=0)]


def _lengths(seed: int, sessions: int, photos: int) -> list[int]:
    """Return each session's number of shots: three to five if that can add up to `photos`.

    If a session has one more, the next of the same emotion, 7 sessions later, has one less.
    """
    even = np.diff(np.arange(sessions + 1) * photos // sessions)
    if even.min() >= 2:
        rounds = sessions // 14
        more = rng_for(seed, "lengths").integers(-1, 2, (rounds, 1, 7))
        even[: 14 * rounds] += np.concatenate([more, -more], axis=1).ravel()
    return [int(n) for n in even]


def _orientations(seed: int, count: int) -> list[int | None]:
    """Return each session's EXIF orientation by quota: the k-th of n is at (k + ½) / n."""
    tags, bounds = list(ORIENTATION_SHARES), list(accumulate(ORIENTATION_SHARES.values()))
    order = sorted(range(count), key=lambda i: rank(seed, str(i), "orientation"))
    held: list[int | None] = [None] * count
    for k, i in enumerate(order):
        at = (k + 0.5) / count * bounds[-1]
        held[i] = next(t for t, bound in zip(tags, bounds, strict=True) if at < bound)
    return held


def _validation(seed: int, lengths: dict[Session, int]) -> set[str]:
    """Return the keys of the sessions of Validation, a tenth of the photos.

    The person with the fewest photos is in Validation only, if they fit into half of that tenth;
    the others are in Training too, because the archive's official halves have people in common.
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
    rng = rng_for(seed, "shots", session.key)
    first = int(rng.integers(1, 17))
    after = np.cumsum(rng.integers(1, 4, length)).tolist()
    endings = ["jpeg" if (number + i) % JPEG_EVERY == 7 else "jpg" for i in range(length)]
    return [Shot(session, first + i, after[i], endings[i]) for i in range(length)]

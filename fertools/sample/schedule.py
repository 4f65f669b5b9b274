"""Plan the sessions and shots of all people from a seed, in the archive's proportions.

    people ──unequal──▶ sessions of about four shots ──a tenth──▶ Validation
                        │  emotions in turn                 the rest ──▶ Training
                        └─ orientations by quota

Known ratios of the archive become quotas: with random choice, the number of sessions with a ratio
of 5.8 % would vary too much among 84 sessions.
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

SHOTS_PER_SESSION: Final = 4  # on average: 30,000 of the archive's names are 7,278 sessions
JPEG_EVERY: Final = 50  # 2 % of the names end with .jpeg
FIRST_DAY: Final = datetime(2021, 1, 1)
DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Schedule:
    """All shots of the two official halves, session by session."""

    training: tuple[Shot, ...]
    validation: tuple[Shot, ...]

    def __post_init__(self) -> None:
        names = Counter(shot.name for shot in self.training + self.validation)
        if repeated := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"two shots have the name {repeated[0]}")


@dataclass(frozen=True, slots=True)
class Session:
    """A few shots of one person, emotion and place, seconds apart.

    `orientation` is the EXIF orientation, or None for photos without the tag.
    """

    key: str  # key of its random generators
    person: Person
    emotion: str
    place: Place
    start: datetime
    orientation: int | None


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo of a session, `after` seconds from the session's start."""

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
    """Return a plan of `photos` shots of `people` people, with at least one shot of each."""
    sessions = _sessions(seed, people, max(people, -(-photos // SHOTS_PER_SESSION)))
    lengths = dict(zip(sessions, _session_lengths(seed, len(sessions), photos), strict=True))
    validation_keys = _choose_validation(seed, lengths)
    training: list[Shot] = []
    validation: list[Shot] = []
    for session, length in lengths.items():
        half = validation if session.key in validation_keys else training
        half += _draw_shots(seed, session, length, len(training) + len(validation))
    return Schedule(tuple(training), tuple(validation))


def _sessions(seed: int, people: int, count: int) -> list[Session]:
    """Return the sessions of all people, person by person, with the emotions in turn.

    The sequence of emotions continues from one person to the next. So the numbers of sessions by
    emotion differ by one at most, and a person with seven sessions has all seven emotions.
    """
    numbers = np.repeat(np.arange(people), _sessions_per_person(seed, people, count))
    persons = [Person.draw(seed, str(number)) for number in range(people)]
    tags = _session_orientations(seed, count)
    emotions = list(EXPRESSIONS)
    sessions = []
    for i, number in enumerate(numbers.tolist()):
        rng = rng_for(seed, "session", i)
        day, second = int(rng.integers(DAYS)), int(rng.integers(8 * 3600, 20 * 3600))
        start = FIRST_DAY + timedelta(days=day, seconds=second)
        place = PLACES[int(rng.integers(len(PLACES)))]
        sessions.append(Session(str(i), persons[number], emotions[i % 7], place, start, tags[i]))
    return sessions


def _sessions_per_person(seed: int, people: int, count: int) -> list[int]:
    """Return each person's number of sessions, `count` in all: 1, plus a lognormal share."""
    weights = np.exp(rng_for(seed, "weights").normal(0, 0.6, people))
    steps = np.rint(np.cumsum(weights) / weights.sum() * (count - people)).astype(int)
    return [1 + int(n) for n in np.diff(steps, prepend=0)]


def _session_lengths(seed: int, sessions: int, photos: int) -> list[int]:
    """Return each session's number of shots: three to five if that can add up to `photos`.

    If a session has one shot more, the next session of the same emotion, 7 sessions later, has one
    shot less.
    """
    lengths = np.diff(np.arange(sessions + 1) * photos // sessions)
    if lengths.min() >= 2:
        rounds = sessions // 14
        more = rng_for(seed, "lengths").integers(-1, 2, (rounds, 1, 7))
        lengths[: 14 * rounds] += np.concatenate([more, -more], axis=1).ravel()
    return [int(n) for n in lengths]


def _session_orientations(seed: int, count: int) -> list[int | None]:
    """Return each session's EXIF orientation, by quotas of ORIENTATION_SHARES."""
    tags, bounds = list(ORIENTATION_SHARES), list(accumulate(ORIENTATION_SHARES.values()))
    order = sorted(range(count), key=lambda i: rank(seed, str(i), "orientation"))
    orientations: list[int | None] = [None] * count
    for k, i in enumerate(order):
        position = (k + 0.5) / count * bounds[-1]
        orientations[i] = next(t for t, bound in zip(tags, bounds, strict=True) if position < bound)
    return orientations


def _choose_validation(seed: int, lengths: dict[Session, int]) -> set[str]:
    """Return the keys of the sessions in Validation, with a tenth of the photos.

    The person with the fewest photos is only in Validation if these photos are at most half of that
    tenth. The sessions of others are divided: the archive's halves have people in common.
    """
    free_photos = sum(lengths.values()) // 10
    sizes: Counter[str] = Counter()
    for session, length in lengths.items():
        sizes[session.person.subject] += length
    smallest = min(sizes, key=lambda subject: (sizes[subject], subject))
    held_out = smallest if sizes[smallest] <= free_photos / 2 else ""
    chosen: set[str] = set()
    order = sorted(lengths, key=lambda s: (s.person.subject != held_out, rank(seed, s.key, "half")))
    for session in order:
        if lengths[session] <= free_photos:
            chosen.add(session.key)
            free_photos -= lengths[session]
    return chosen


def _draw_shots(seed: int, session: Session, length: int, number: int) -> list[Shot]:
    rng = rng_for(seed, "shots", session.key)
    first = int(rng.integers(1, 17))
    after = np.cumsum(rng.integers(1, 4, length)).tolist()
    endings = ["jpeg" if (number + i) % JPEG_EVERY == 7 else "jpg" for i in range(length)]
    return [Shot(session, first + i, after[i], endings[i]) for i in range(length)]

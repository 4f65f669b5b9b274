"""Session: one person, one emotion, one place, a few shots within seconds of each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fertools.sample.expression import EXPRESSIONS
from fertools.sample.person import Person
from fertools.sample.place import Place


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

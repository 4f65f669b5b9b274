"""Define people and expressions, drawn at random from a seed.

Each thing that is drawn has its own random generator (`rng_for`), which depends only on the seed
and on its purpose. So an added person or a removed photo changes no other face, and one photo can
be drawn again alone with equal bytes.

Lengths are in units of the canvas: half the height of the head. In the ranges of the geometry the
drawings look like a person; the ranges are not measured on people.

Expressions follow the action units of Ekman and Friesen's Facial Action Coding System (1978),
exaggerated, because a drawing has no wrinkles:

             brows            eyes               mouth
    기쁨     a little up      narrowed from      wide, corners up, teeth
                              below
    당황     high, uneven     wide, aside        small and round; the cheeks redden
    분노     down, together   narrow             wide, shut, corners down
    불안     inner ends up    wide               teeth clenched, a wavering line
    상처     drawn together   cast down          pressed, lopsided
    슬픔     inner ends up,   heavy, a tear      small, corners far down
             outer ends down
    중립     at rest          at rest            at rest
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields
from hashlib import sha256
from typing import Any

import numpy as np

from fertools.hashing import rank
from fertools.sample.canvas import Colour, mix


def rng_for(seed: int, *what: object) -> np.random.Generator:
    """Return the random generator of a thing, such as person 3: `rng_for(7, "person", 3)`."""
    key = "\x1f".join(str(word) for word in what)
    return np.random.default_rng(int.from_bytes(rank(seed, key, "sample"), "big"))


@dataclass(frozen=True, slots=True)
class Expression:
    """The movements of a face from rest; lengths in units of the canvas, upwards positive."""

    brow_inner: float = 0.0  # the ends at the nose
    brow_outer: float = 0.0  # the ends at the temples
    brow_squeeze: float = 0.0  # towards each other
    brow_skew: float = 0.0  # one higher than the other
    eye_open: float = 1.0  # relative to the opening at rest
    squint: float = 0.0  # 1: the lower lid covers the iris up to its middle
    gaze_x: float = 0.0  # -1 to 1, corner to corner
    gaze_y: float = 0.0  # -1 to 1, up to down
    smile: float = 0.0  # the corners of the mouth
    mouth_open: float = 0.0  # the gap between the lips
    mouth_width: float = 1.0  # relative to the width at rest
    mouth_skew: float = 0.0  # one corner higher than the other
    teeth: float = 0.0  # share of the gap between the lips
    wobble: float = 0.0  # height of the waves in the line between the lips
    press: float = 0.0  # 1: the lips are a line
    blush: float = 0.0
    tears: float = 0.0

    def interpolate(self, other: Expression, share: float) -> Expression:
        """Return the expression at `share` of the way to `other`; a share above 1 exaggerates."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Expression(*(a + (b - a) * share for a, b in pairs))

    def vary(self, rng: np.random.Generator, share: float) -> Expression:
        """Return a similar expression: each movement is scaled by about 1 ± `share`."""
        pairs = zip(astuple(self), astuple(REST), strict=True)
        return Expression(*(r + (a - r) * (1 + rng.normal(0, share)) for a, r in pairs))


REST = Expression()

_MOVEMENTS: dict[str, tuple[float, ...]] = {
    # 기쁨, 당황, 분노, 불안, 상처, 슬픔
    "brow_inner": (0.02, 0.11, -0.12, 0.12, 0.05, 0.11),
    "brow_outer": (0.05, 0.09, 0.07, -0.02, -0.03, -0.07),
    "brow_squeeze": (0.0, 0.0, 0.06, 0.03, 0.06, 0.02),
    "brow_skew": (0.0, 0.04, 0.0, 0.0, 0.0, 0.0),
    "eye_open": (0.75, 1.4, 0.8, 1.35, 0.32, 0.72),
    "squint": (0.8, 0.0, 0.4, 0.0, 0.0, 0.0),
    "gaze_x": (0.0, 0.6, 0.0, -0.25, -0.3, 0.0),
    "gaze_y": (0.0, -0.1, 0.0, 0.0, 0.9, 0.35),
    "smile": (0.13, 0.0, -0.07, -0.02, -0.02, -0.12),
    "mouth_open": (0.15, 0.17, 0.0, 0.085, 0.0, 0.02),
    "mouth_width": (1.3, 0.55, 1.1, 1.15, 0.95, 0.85),
    "mouth_skew": (0.0, 0.015, 0.0, 0.0, 0.05, 0.0),
    "teeth": (0.6, 0.0, 0.0, 1.0, 0.0, 0.0),
    "wobble": (0.0, 0.0, 0.0, 0.022, 0.0, 0.0),
    "press": (0.0, 0.0, 0.6, 0.0, 0.9, 0.0),
    "blush": (0.5, 1.0, 0.25, 0.0, 0.0, 0.0),
    "tears": (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
}

EXPRESSIONS: dict[str, Expression] = {
    emotion: Expression(**dict(zip(_MOVEMENTS, column, strict=True)))
    for emotion, column in zip(
        ("기쁨", "당황", "분노", "불안", "상처", "슬픔"),
        zip(*_MOVEMENTS.values(), strict=True),
        strict=True,
    )
} | {"중립": REST}


AGES = (10, 20, 30, 40, 50, 60)
AGE_SHARES = (0.1, 0.3, 0.25, 0.15, 0.12, 0.08)

FAIR, TANNED = (178.0, 206.0, 240.0), (134.0, 168.0, 214.0)
JET, CHESTNUT, GREY = (26.0, 24.0, 28.0), (40.0, 56.0, 92.0), (168.0, 166.0, 166.0)
ROSE, BERRY = (112.0, 118.0, 204.0), (92.0, 88.0, 178.0)


def _range(low: float, high: float, male: float = 0.0) -> Any:
    """Declare a proportion with its range; `male` is added for men."""
    return field(metadata={"low": low, "high": high, "male": male})


@dataclass(frozen=True, slots=True)
class FaceGeometry:
    """The proportions of one head; random numbers are drawn in the order of the fields."""

    width: float = _range(0.71, 0.79, 0.02)  # half the width, at the cheekbones
    jaw: float = _range(1.95, 2.35, 0.2)  # exponent of the lower outline: 1.9 pointed, 2.6 square
    taper: float = _range(0.10, 0.24, -0.05)  # by which the chin is narrower
    eye_gap: float = _range(0.30, 0.345)  # from the middle line to an eye's centre
    eye_width: float = _range(0.145, 0.175)  # half the width
    eye_height: float = _range(0.085, 0.112)  # height of the opening at rest
    eye_slant: float = _range(-0.012, 0.03)  # by which the outer corner is higher
    brow_height: float = _range(0.19, 0.235, -0.015)  # above the eyes
    brow_weight: float = _range(0.016, 0.026, 0.007)  # half the thickness
    nose_width: float = _range(0.105, 0.14, 0.01)  # half the width
    nose_tip: float = _range(0.33, 0.39)  # below the middle of the head
    mouth_width: float = _range(0.215, 0.265)  # half the width
    lips: float = _range(0.055, 0.085, -0.012)  # fullness

    @classmethod
    def draw(cls, rng: np.random.Generator, male: bool) -> FaceGeometry:
        ranges = [entry.metadata for entry in fields(cls)]
        return cls(*(rng.uniform(r["low"], r["high"]) + r["male"] * male for r in ranges))


@dataclass(frozen=True, slots=True)
class Hair:
    """A hairstyle; `fringe` is the covered share of the forehead, 0 to 1."""

    style: str  # short, bob, long or tied
    colour: Colour
    fringe: float
    part: float  # position of the parting, -1 to 1
    volume: float

    @classmethod
    def draw(cls, rng: np.random.Generator, male: bool, age: int) -> Hair:
        """Draw a random hairstyle, which is greyer from age 50 on."""
        colour = mix(JET, CHESTNUT, rng.uniform(0, 1) ** 2)
        grey = rng.uniform(0.15, 0.5) * max(0, age - 40) / 10 * 0.8
        style = "short" if male else str(rng.choice(["bob", "long", "long", "tied"]))
        return cls(
            style=style,
            colour=mix(colour, GREY, min(grey, 0.8)),
            fringe=rng.uniform(0.0, 1.0),
            part=rng.uniform(-0.7, 0.7),
            volume=rng.uniform(0.07, 0.14),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A person: all properties that an expression does not change.

    subject   64 hex digits, as in the archive
    light     direction of the light, -1 (from the left of the picture) to 1
    contrast  by which the other side of the face is darker
    """

    subject: str
    sex: str
    age: int
    face: FaceGeometry
    hair: Hair
    skin: Colour
    mouth: Colour
    glasses: bool
    light: float
    contrast: float

    @classmethod
    def draw(cls, seed: int, key: str) -> Person:
        """Draw a random person; equal (seed, key) results in an equal person."""
        rng = rng_for(seed, "person", key)
        male = bool(rng.random() < 0.45)
        age = int(rng.choice(AGES, p=AGE_SHARES))
        return cls(
            subject=sha256(f"{seed}:{key}".encode()).hexdigest(),
            sex="남" if male else "여",
            age=age,
            face=FaceGeometry.draw(rng, male),
            hair=Hair.draw(rng, male, age),
            skin=mix(FAIR, TANNED, rng.uniform(0, 0.7) + 0.3 * male),
            mouth=mix(ROSE, BERRY, rng.uniform(0, 1)),
            glasses=bool(rng.random() < 0.22),
            light=float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0)),
            contrast=rng.uniform(0.12, 0.38),
        )

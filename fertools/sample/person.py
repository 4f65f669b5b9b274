"""Person: who is drawn, and what of them no expression changes.

Lengths are in units of the canvas: half the height of the head. Ranges are those in which the
drawings still look like somebody; none is measured on people.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from fertools.sample.canvas import Colour, mix
from fertools.sample.dice import dice

AGES = (10, 20, 30, 40, 50, 60)
AGE_SHARES = (0.1, 0.3, 0.25, 0.15, 0.12, 0.08)

FAIR, TANNED = (178.0, 206.0, 240.0), (134.0, 168.0, 214.0)
JET, CHESTNUT, GREY = (26.0, 24.0, 28.0), (40.0, 56.0, 92.0), (168.0, 166.0, 166.0)
ROSE, BERRY = (112.0, 118.0, 204.0), (92.0, 88.0, 178.0)


@dataclass(frozen=True, slots=True)
class Face:
    """The geometry of one head."""

    width: float  # half of it, at the cheekbones
    jaw: float  # exponent of the lower outline: 1.9 pointed, 2.6 square
    taper: float  # how much narrower the chin is
    eye_gap: float  # from the middle line to an eye's centre
    eye_width: float  # half of it
    eye_height: float  # of the opening at rest
    eye_slant: float  # how much higher the outer corner is
    brow_height: float  # above the eyes
    brow_weight: float  # half of its thickness
    nose_width: float  # half of it
    nose_tip: float  # below the middle of the head
    mouth_width: float  # half of it
    lips: float  # fullness

    @classmethod
    def drawn(cls, roll: np.random.Generator, male: bool) -> Face:
        """Draw the geometry of somebody."""
        return cls(
            width=roll.uniform(0.71, 0.79) + 0.02 * male,
            jaw=roll.uniform(1.95, 2.35) + 0.2 * male,
            taper=roll.uniform(0.10, 0.24) - 0.05 * male,
            eye_gap=roll.uniform(0.30, 0.345),
            eye_width=roll.uniform(0.145, 0.175),
            eye_height=roll.uniform(0.085, 0.112),
            eye_slant=roll.uniform(-0.012, 0.03),
            brow_height=roll.uniform(0.19, 0.235) - 0.015 * male,
            brow_weight=roll.uniform(0.016, 0.026) + 0.007 * male,
            nose_width=roll.uniform(0.105, 0.14) + 0.01 * male,
            nose_tip=roll.uniform(0.33, 0.39),
            mouth_width=roll.uniform(0.215, 0.265),
            lips=roll.uniform(0.055, 0.085) - 0.012 * male,
        )


@dataclass(frozen=True, slots=True)
class Hair:
    """How somebody wears it; `fringe` is how deep it hangs into the forehead, 0 to 1."""

    style: str  # short, bob, long or tied
    colour: Colour
    fringe: float
    part: float  # where it parts, -1 to 1
    volume: float

    @classmethod
    def drawn(cls, roll: np.random.Generator, male: bool, age: int) -> Hair:
        """Draw somebody's hair, greyer from fifty on."""
        colour = mix(JET, CHESTNUT, roll.uniform(0, 1) ** 2)
        grey = roll.uniform(0.15, 0.5) * max(0, age - 40) / 10 * 0.8
        style = "short" if male else str(roll.choice(["bob", "long", "long", "tied"]))
        return cls(
            style=style,
            colour=mix(colour, GREY, min(grey, 0.8)),
            fringe=roll.uniform(0.0, 1.0),
            part=roll.uniform(-0.7, 0.7),
            volume=roll.uniform(0.07, 0.14),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who took part.

    `subject` is 64 hex digits, as the archive has them; `light` where the light comes from, -1
    (the left of the picture) to 1, and `contrast` how much darker the other side is.
    """

    subject: str
    sex: str
    age: int
    face: Face
    hair: Hair
    skin: Colour
    mouth: Colour
    glasses: bool
    light: float
    contrast: float

    @classmethod
    def drawn(cls, seed: int, key: str) -> Person:
        """Draw the person of a key; equal for equal (seed, key)."""
        roll = dice(seed, "person", key)
        male = bool(roll.random() < 0.45)
        age = int(roll.choice(AGES, p=AGE_SHARES))
        return cls(
            subject=sha256(f"{seed}:{key}".encode()).hexdigest(),
            sex="남" if male else "여",
            age=age,
            face=Face.drawn(roll, male),
            hair=Hair.drawn(roll, male, age),
            skin=mix(FAIR, TANNED, roll.uniform(0, 0.7) + 0.3 * male),
            mouth=mix(ROSE, BERRY, roll.uniform(0, 1)),
            glasses=bool(roll.random() < 0.22),
            light=float(roll.choice([-1, 1]) * roll.uniform(0.3, 1.0)),
            contrast=roll.uniform(0.12, 0.38),
        )

"""Portrait: a person from the shoulders up, painted from back to front.

hair behind ── shoulders ── neck ── ears ── head, lit from a side ── features ── hair in front
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fertools.data import Box
from fertools.sample.canvas import BLACK, WHITE, Canvas, Colour, Pose, mix
from fertools.sample.curves import Points, ellipse, mirrored, spline
from fertools.sample.expression import Expression
from fertools.sample.features import paint_features
from fertools.sample.person import Person

DRESSES: tuple[Colour, ...] = (
    (96.0, 72.0, 58.0),
    (206.0, 208.0, 212.0),
    (70.0, 70.0, 74.0),
    (88.0, 96.0, 168.0),
    (110.0, 132.0, 96.0),
    (150.0, 116.0, 70.0),
    (86.0, 122.0, 204.0),
    (150.0, 110.0, 140.0),
)


@dataclass(frozen=True, slots=True)
class Dress:
    """What somebody wears on one occasion."""

    colour: Colour
    collar: str  # round, open or high

    @classmethod
    def drawn(cls, roll: np.random.Generator) -> Dress:
        """Draw a dress."""
        colour = mix(DRESSES[roll.integers(len(DRESSES))], WHITE, roll.uniform(0, 0.2))
        return cls(colour, str(roll.choice(["round", "open", "high"])))


def paint(canvas: Canvas, who: Person, mood: Expression, dress: Dress) -> None:
    """Paint somebody over whatever the canvas shows, the head where its pose says."""
    _hair_behind(canvas, who)
    _shoulders(canvas, who, dress)
    _ears(canvas, who)
    head = outline(who)
    canvas.fill(head, who.skin)
    with canvas.within(head) as face:
        _light_on_face(face, who)
        _hair_shadow(face, who)
        paint_features(face, who, mood)
    _hair_in_front(canvas, who)


def outline(who: Person) -> Points:
    """Give the outline of the bare head: two halves of superellipses, narrowed to the chin."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    power = np.where(s > 0, 2 / who.face.jaw, 2 / 2.25)
    y = np.sign(s) * np.abs(s) ** power
    x = np.sign(c) * np.abs(c) ** power * who.face.width
    return np.stack([x * (1 - who.face.taper * np.maximum(y, 0) ** 1.3), y], axis=1)


def face_box(who: Person, pose: Pose) -> Box:
    """Give the box that an annotator would draw: from the hairline to the chin, in pixels."""
    head = outline(who)
    face = pose.place(head[head[:, 1] > -0.72])
    (x0, y0), (x1, y1) = face.min(axis=0), face.max(axis=0)
    return Box(float(x0), float(y0), float(x1), float(y1))


def _shoulders(canvas: Canvas, who: Person, dress: Dress) -> None:
    broad = 1.62 if who.sex == "남" else 1.42
    side = [(0.36, 1.16), (0.72, 1.36), (broad, 1.62), (broad + 0.28, 2.3), (broad + 0.35, 4.2)]
    right = spline(side)
    body = np.concatenate([right, mirrored(right)[::-1]])
    canvas.fill(body, dress.colour)
    for arm in (-1, 1):
        crease = spline([(arm * 1.02, 2.1), (arm * 1.1, 2.7), (arm * 1.06, 3.6)])
        canvas.stroke(crease, mix(dress.colour, BLACK, 0.15), 0.025)
    neck = 0.44 if who.sex == "남" else 0.36
    throat = {"round": 1.55, "open": 1.95, "high": 1.3}[dress.collar]
    cut = spline([(neck, 0.6), (neck * 1.02, 1.15), (neck * 1.3, 1.32), (0.0, throat)])
    skin = np.concatenate([cut, mirrored(cut)[::-1]])
    canvas.fill(skin, mix(who.skin, (70.0, 84.0, 130.0), 0.16))
    canvas.glow((0, 1.0), (0.5, 0.3), mix(who.skin, BLACK, 0.6), 0.55)
    canvas.stroke(cut[15:], mix(dress.colour, BLACK, 0.3), 0.03)
    canvas.stroke(mirrored(cut)[15:], mix(dress.colour, BLACK, 0.3), 0.03)


def _ears(canvas: Canvas, who: Person) -> None:
    for side in (-1, 1):
        x = side * (who.face.width + 0.01)
        canvas.fill(ellipse(x, 0.14, 0.10, 0.19), mix(who.skin, (80.0, 90.0, 150.0), 0.12))
        canvas.fill(
            ellipse(x + side * 0.01, 0.14, 0.05, 0.12), mix(who.skin, (60.0, 70.0, 130.0), 0.3)
        )


def _light_on_face(canvas: Canvas, who: Person) -> None:
    far = -np.sign(who.light)
    dark = mix(who.skin, (30.0, 34.0, 70.0), 0.75)
    canvas.glow(
        (far * who.face.width * 1.05, 0.25), (0.6, 1.2), dark, who.contrast * abs(who.light)
    )
    canvas.glow((-far * who.face.width * 0.5, 0.0), (0.5, 0.9), WHITE, 0.22 * abs(who.light))
    canvas.glow((0, 1.08), (0.75, 0.24), dark, 0.35)
    canvas.glow((0, -0.42), (0.4, 0.2), WHITE, 0.12)


def _hair_shadow(canvas: Canvas, who: Person) -> None:
    canvas.glow((0, -0.86), (0.95, 0.38), mix(who.skin, BLACK, 0.6), 0.5)


def _hair_behind(canvas: Canvas, who: Person) -> None:
    hair, wide = who.hair, who.face.width + who.hair.volume
    if hair.style == "short":
        return
    low = {"bob": 0.95, "long": 2.1, "tied": 0.55}[hair.style]
    flare = {"bob": 0.12, "long": 0.16, "tied": -0.05}[hair.style]
    side = [(0.0, -1.0 - hair.volume), (wide * 0.8, -0.75), (wide + 0.04, 0.0)]
    side += [(wide + flare, low * 0.7), (wide + flare * 0.6, low), (0.0, low + 0.02)]
    right = spline(side)
    canvas.fill(np.concatenate([right, mirrored(right)[::-1]]), mix(hair.colour, BLACK, 0.25))


def _hair_in_front(canvas: Canvas, who: Person) -> None:
    hair, cap = who.hair, _cap(who)
    part, crown = hair.part * 0.45, -1.0 - hair.volume
    canvas.fill(cap, hair.colour)
    with canvas.within(cap) as inside:
        inside.glow((who.light * 0.35, -0.88), (0.35, 0.10), mix(hair.colour, WHITE, 0.35), 0.6)
        for i in range(-4, 5):
            knots = [(part + i * 0.05, crown), (i * 0.17, -0.8), (i * 0.24, _hairline(who) + 0.2)]
            tone = mix(hair.colour, BLACK if i % 2 else WHITE, 0.10)
            inside.stroke(spline(knots), tone, 0.012)


def _cap(who: Person) -> Points:
    """Give the outline of the hair in front: over the crown, and back along the fringe."""
    hair, edge = who.hair, who.face.width * 0.93
    crown, rim = -1.0 - hair.volume, who.face.width + hair.volume * 0.7
    temple = 0.12 if hair.style == "short" else 0.35
    over = [(-edge, temple), (-rim, -0.15), (-rim * 0.86, -0.68), (-0.34, crown + 0.03)]
    over += [(0.25, crown), (rim * 0.86, -0.68), (rim, -0.15), (edge, temple)]
    part, deep = hair.part * 0.45, _hairline(who)
    back = [(edge * 0.95, -0.22), (part + (edge - part) * 0.55, deep + 0.05)]
    back += [(part, deep - 0.16 * (1 - hair.fringe))]
    back += [(part - (edge + part) * 0.55, deep + 0.05), (-edge * 0.95, -0.22)]
    return spline(over + back, closed=True)


def _hairline(who: Person) -> float:
    return -0.62 + 0.22 * who.hair.fringe

"""Photo: a shot as pixels and as a file.

    backdrop ── person ── light over all ── blur ── stretched to size ── grain ── turned ── JPEG
    └──────────── at 0.6 megapixels at most ─────┘

The drawing is made small and stretched: a photo of 12 megapixels takes 73 ms before its JPEG
that way and 650 ms when it is drawn at its full size, for edges that no detector looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.data import Box
from fertools.sample.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Pixels,
    Points,
    Pose,
    ellipse,
    mirrored,
    mix,
    spline,
)
from fertools.sample.features import paint_features
from fertools.sample.people import EXPRESSIONS, REST, Expression, Person, dice
from fertools.sample.schedule import Session, Shot
from fertools.sample.setting import backdrop, stored, tagged

DRAWN_AT = 0.6e6  # pixels
QUALITY = 90
GRAIN = 512  # px: the side of the tile of grain
GRAIN_STRENGTH = 0.09  # of a tile that spreads by 32: about 3 grey levels of 255


@dataclass(frozen=True, slots=True)
class Setting:
    """What the shots of a session share: the frame, the head's place in it, dress and mood."""

    width: int
    height: int
    pose: Pose
    mood: Expression
    dress: Dress
    warmth: float

    @classmethod
    def drawn(cls, seed: int, session: Session, pixels: float) -> Setting:
        """Draw a session's setting in a frame of about `pixels`, 4:3 upright or lying."""
        roll = dice(seed, "setting", session.key)
        long, short = round(sqrt(pixels * 4 / 3)), round(sqrt(pixels * 3 / 4))
        tall = roll.random() < 0.6
        width, height = (short, long) if tall else (long, short)
        unit = short * roll.uniform(0.20, 0.30)
        pose = Pose(
            x=width / 2 + roll.uniform(-0.12, 0.12) * width,
            y=height * 0.47 + roll.uniform(-0.05, 0.07) * height,
            unit=unit,
            lean=roll.normal(0, 0.07),
        )
        strength = roll.uniform(0.8, 1.1)
        mood = REST.towards(EXPRESSIONS[session.emotion], strength).shaken(roll, 0.12)
        return cls(width, height, pose, mood, Dress.drawn(roll), roll.uniform(-0.5, 1.0))


def upright(seed: int, shot: Shot, pixels: float) -> Pixels:
    """Draw a shot: uint8, (H, W, 3), BGR, of about `pixels`, before the camera turns it."""
    setting = Setting.drawn(seed, shot.session, pixels)
    small = min(1.0, sqrt(DRAWN_AT / pixels))
    image = _backdrop(seed, shot, setting, small)
    pose, mood = _nudged(seed, shot, setting)
    small_pose = Pose(pose.x * small, pose.y * small, pose.unit * small, pose.lean)
    paint(Canvas(image, small_pose), shot.session.person, mood, setting.dress)
    return finished(seed, shot, image, setting)


def finished(seed: int, shot: Shot, image: Pixels, setting: Setting) -> Pixels:
    """Give a drawing its light, its softness, its full size and its grain."""
    lit = cv2.multiply(image, _light(shot.session, setting, image), scale=1 / 128)
    soft = cv2.GaussianBlur(lit, (3, 3), 0)
    size = (setting.width, setting.height)
    large = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
    roll = dice(seed, "grain", shot.name)
    grain = _grain(int(roll.integers(GRAIN)), int(roll.integers(GRAIN)), *size)
    grainy = cv2.addWeighted(large, 1.0, grain, GRAIN_STRENGTH, -128 * GRAIN_STRENGTH)
    return np.asarray(grainy, np.uint8)


def encoded(image: Pixels, orientation: int | None) -> bytes:
    """Give the file of an upright photo: a JPEG, turned, with the tag that turns it back."""
    pixels = np.ascontiguousarray(stored(image, orientation))
    jpeg: bytes = simplejpeg.encode_jpeg(pixels, QUALITY, "BGR", "420")
    return tagged(jpeg, orientation)


def photograph(seed: int, shot: Shot, pixels: float) -> bytes:
    """Draw a shot and give its file; equal bytes for equal arguments."""
    return encoded(upright(seed, shot, pixels), shot.session.orientation)


def face_of(seed: int, shot: Shot, pixels: float) -> Box:
    """Give the box of a shot's face in the upright photo, without drawing it."""
    pose, _ = _nudged(seed, shot, Setting.drawn(seed, shot.session, pixels))
    return face_box(shot.session.person, pose)


def _nudged(seed: int, shot: Shot, setting: Setting) -> tuple[Pose, Expression]:
    """Nobody holds still between two shots: a per cent of the frame, half a degree."""
    roll = dice(seed, "nudge", shot.name)
    pose = setting.pose
    nudged = Pose(
        x=pose.x + roll.normal(0, 0.012) * pose.unit * 4,
        y=pose.y + roll.normal(0, 0.010) * pose.unit * 4,
        unit=pose.unit * (1 + roll.normal(0, 0.012)),
        lean=pose.lean + roll.normal(0, 0.010),
    )
    return nudged, setting.mood.shaken(roll, 0.04)


def _backdrop(seed: int, shot: Shot, setting: Setting, small: float) -> Pixels:
    roll = dice(seed, "backdrop", shot.session.key)
    w, h = round(setting.width * small), round(setting.height * small)
    return backdrop(shot.session.place, roll, w, h)


def _light(session: Session, setting: Setting, image: Pixels) -> Pixels:
    """Give how bright each pixel becomes, 128 for as it is: uint8, the image's shape."""
    h, w = image.shape[:2]
    who = session.person
    across = np.linspace(-1, 1, 8, dtype=np.float32)[None, :] * who.light * who.contrast
    down = np.linspace(0.08, -0.12, 8, dtype=np.float32)[:, None]
    level = 1.0 + 0.6 * across + down
    cast = np.array([1 - 0.06 * setting.warmth, 1.0, 1 + 0.05 * setting.warmth], np.float32)
    coarse = (level[:, :, None] * cast * 128).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _grain(x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """Cut a frame out of an endless plane of grain tiles, beginning at (x, y)."""
    tile = np.roll(_tile(), (-y, -x), axis=(0, 1))
    plane = np.tile(tile, (height // GRAIN + 1, width // GRAIN + 1, 1))
    return plane[:height, :width]


@cache
def _tile() -> NDArray[np.uint8]:
    """Give one tile of grain about 128, the same for every photo: only where it begins differs."""
    roll = dice(0, "tile")
    bright = roll.normal(0, 30, (GRAIN, GRAIN, 1))
    tint = roll.normal(0, 12, (GRAIN, GRAIN, 3))
    return (128 + bright + tint).clip(0, 255).astype(np.uint8)


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

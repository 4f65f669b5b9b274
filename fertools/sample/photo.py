"""Draw a shot as pixels, and encode it as a file.

    scene ── person ── light over all ── blur ── stretched to size ── grain ── turned ── JPEG
    └──────────── at 0.6 megapixels at most ─────┘

The drawing is made small and stretched: a photo of 12 megapixels takes 73 ms before its JPEG that
way and 650 ms when it is drawn at its full size, for edges that do not matter to a detector.

A person is painted from the shoulders up, from back to front:

    hair behind ── shoulders ── neck ── ears ── head, lit from a side ── features ── hair in front
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Final

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
from fertools.sample.people import EXPRESSIONS, REST, Expression, Person, rng_for
from fertools.sample.schedule import Session, Shot
from fertools.sample.setting import as_stored, draw_scene, with_orientation

MAX_DRAWN_PIXELS: Final = 0.6e6
QUALITY: Final = 90
GRAIN: Final = 512  # px: the side of the tile of grain
GRAIN_STRENGTH: Final = 0.09  # of a tile with a deviation of 32: about 3 gray levels of 255

DRESSES: Final[tuple[Colour, ...]] = (
    (96.0, 72.0, 58.0),
    (206.0, 208.0, 212.0),
    (70.0, 70.0, 74.0),
    (88.0, 96.0, 168.0),
    (110.0, 132.0, 96.0),
    (150.0, 116.0, 70.0),
    (86.0, 122.0, 204.0),
    (150.0, 110.0, 140.0),
)


def photograph(seed: int, shot: Shot, pixels: float) -> bytes:
    """Draw a shot and return its file; equal bytes for equal arguments."""
    return encode_photo(draw_photo(seed, shot, pixels), shot.session.orientation)


def draw_photo(seed: int, shot: Shot, pixels: float) -> Pixels:
    """Return a shot of about `pixels` pixels: uint8, (H, W, 3), BGR, upright."""
    style = SessionStyle.drawn(seed, shot.session, pixels)
    small = min(1.0, sqrt(MAX_DRAWN_PIXELS / pixels))
    width, height = round(style.width * small), round(style.height * small)
    rng = rng_for(seed, "backdrop", shot.session.key)
    image = draw_scene(shot.session.place, rng, width, height)
    pose, expression = _moved_between_shots(seed, shot, style)
    small_pose = Pose(pose.x * small, pose.y * small, pose.unit * small, pose.lean)
    paint(Canvas(image, small_pose), shot.session.person, expression, style.dress)
    return finish_drawing(seed, shot, image, style)


def encode_photo(image: Pixels, orientation: int | None) -> bytes:
    """Return the JPEG of an upright photo, turned, with the EXIF tag that turns it back."""
    pixels = np.ascontiguousarray(as_stored(image, orientation))
    jpeg: bytes = simplejpeg.encode_jpeg(pixels, QUALITY, "BGR", "420")
    return with_orientation(jpeg, orientation)


def face_of(seed: int, shot: Shot, pixels: float) -> Box:
    """Return the box that an annotator would draw in the upright photo, from hairline to chin.

    The photo is not drawn.
    """
    pose, _ = _moved_between_shots(seed, shot, SessionStyle.drawn(seed, shot.session, pixels))
    head = outline(shot.session.person)
    face = pose.to_pixels(head[head[:, 1] > -0.72])
    return Box(*face.min(axis=0).tolist(), *face.max(axis=0).tolist())


@dataclass(frozen=True, slots=True)
class SessionStyle:
    """What the shots of a session have in common: image size, pose, expression, dress, warmth."""

    width: int
    height: int
    pose: Pose
    expression: Expression
    dress: Dress
    warmth: float

    @classmethod
    def drawn(cls, seed: int, session: Session, pixels: float) -> SessionStyle:
        """Draw the style of a session, for images of about `pixels`, 4:3, portrait or landscape."""
        rng = rng_for(seed, "setting", session.key)
        long, short = image_sides(pixels)
        tall = rng.random() < 0.6
        width, height = (short, long) if tall else (long, short)
        unit = short * rng.uniform(0.20, 0.30)
        pose = Pose(
            x=width / 2 + rng.uniform(-0.12, 0.12) * width,
            y=height * 0.47 + rng.uniform(-0.05, 0.07) * height,
            unit=unit,
            lean=rng.normal(0, 0.07),
        )
        strength = rng.uniform(0.8, 1.1)
        expression = REST.towards(EXPRESSIONS[session.emotion], strength).shaken(rng, 0.12)
        colour = mix(DRESSES[rng.integers(len(DRESSES))], WHITE, rng.uniform(0, 0.2))
        dress = Dress(colour, str(rng.choice(["round", "open", "high"])))
        return cls(width, height, pose, expression, dress, rng.uniform(-0.5, 1.0))


def image_sides(pixels: float) -> tuple[int, int]:
    """Return the longer and the shorter side of a 4:3 image of about `pixels`."""
    return round(sqrt(pixels * 4 / 3)), round(sqrt(pixels * 3 / 4))


def finish_drawing(seed: int, shot: Shot, image: Pixels, style: SessionStyle) -> Pixels:
    """Return a drawing with light, blur, its full size, and grain."""
    lit = cv2.multiply(image, _light(shot.session, style, image), scale=1 / 128)
    soft = cv2.GaussianBlur(lit, (3, 3), 0)
    size = (style.width, style.height)
    large = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
    rng = rng_for(seed, "grain", shot.name)
    grain = _grain(int(rng.integers(GRAIN)), int(rng.integers(GRAIN)), *size)
    grainy = cv2.addWeighted(large, 1.0, grain, GRAIN_STRENGTH, -128 * GRAIN_STRENGTH)
    return np.asarray(grainy, np.uint8)


def _moved_between_shots(seed: int, shot: Shot, style: SessionStyle) -> tuple[Pose, Expression]:
    """Move the head between two shots, by about 1 % of the image and half a degree."""
    rng = rng_for(seed, "nudge", shot.name)
    pose = style.pose
    nudged = Pose(
        x=pose.x + rng.normal(0, 0.012) * pose.unit * 4,
        y=pose.y + rng.normal(0, 0.010) * pose.unit * 4,
        unit=pose.unit * (1 + rng.normal(0, 0.012)),
        lean=pose.lean + rng.normal(0, 0.010),
    )
    return nudged, style.expression.shaken(rng, 0.04)


def _light(session: Session, style: SessionStyle, image: Pixels) -> Pixels:
    """Return a factor for each pixel, 128 for unchanged: uint8, the image's shape."""
    h, w = image.shape[:2]
    person = session.person
    across = np.linspace(-1, 1, 8, dtype=np.float32)[None, :] * person.light * person.contrast
    down = np.linspace(0.08, -0.12, 8, dtype=np.float32)[:, None]
    level = 1.0 + 0.6 * across + down
    cast = np.array([1 - 0.06 * style.warmth, 1.0, 1 + 0.05 * style.warmth], np.float32)
    coarse = (level[:, :, None] * cast * 128).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _grain(x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return an image of grain from an endless plane of tiles, beginning at (x, y)."""
    tile = np.roll(_tile(), (-y, -x), axis=(0, 1))
    plane = np.tile(tile, (height // GRAIN + 1, width // GRAIN + 1, 1))
    return plane[:height, :width]


@cache
def _tile() -> NDArray[np.uint8]:
    """Return one tile of grain around 128; all photos use it, from different offsets."""
    rng = rng_for(0, "tile")
    bright = rng.normal(0, 30, (GRAIN, GRAIN, 1))
    tint = rng.normal(0, 12, (GRAIN, GRAIN, 3))
    return (128 + bright + tint).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Dress:
    """The clothing of a session."""

    colour: Colour
    collar: str  # round, open or high


def paint(canvas: Canvas, person: Person, expression: Expression, dress: Dress) -> None:
    """Paint a person over the canvas, with the head at its pose."""
    _hair_behind(canvas, person)
    _shoulders(canvas, person, dress)
    _ears(canvas, person)
    head = outline(person)
    canvas.fill(head, person.skin)
    with canvas.within(head) as face:
        _light_on_face(face, person)
        face.glow((0, -0.86), (0.95, 0.38), mix(person.skin, BLACK, 0.6), 0.5)  # under the hair
        paint_features(face, person, expression)
    _hair_in_front(canvas, person)


def outline(person: Person) -> Points:
    """Return the outline of the bare head: two half superellipses, narrower at the chin."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    power = np.where(s > 0, 2 / person.face.jaw, 2 / 2.25)
    y = np.sign(s) * np.abs(s) ** power
    x = np.sign(c) * np.abs(c) ** power * person.face.width
    return np.stack([x * (1 - person.face.taper * np.maximum(y, 0) ** 1.3), y], axis=1)


def _shoulders(canvas: Canvas, person: Person, dress: Dress) -> None:
    broad = 1.62 if person.sex == "남" else 1.42
    side = [(0.36, 1.16), (0.72, 1.36), (broad, 1.62), (broad + 0.28, 2.3), (broad + 0.35, 4.2)]
    right = spline(side)
    body = np.concatenate([right, mirrored(right)[::-1]])
    canvas.fill(body, dress.colour)
    for arm in (-1, 1):
        crease = spline([(arm * 1.02, 2.1), (arm * 1.1, 2.7), (arm * 1.06, 3.6)])
        canvas.stroke(crease, mix(dress.colour, BLACK, 0.15), 0.025)
    neck = 0.44 if person.sex == "남" else 0.36
    throat = {"round": 1.55, "open": 1.95, "high": 1.3}[dress.collar]
    cut = spline([(neck, 0.6), (neck * 1.02, 1.15), (neck * 1.3, 1.32), (0.0, throat)])
    skin = np.concatenate([cut, mirrored(cut)[::-1]])
    canvas.fill(skin, mix(person.skin, (70.0, 84.0, 130.0), 0.16))
    canvas.glow((0, 1.0), (0.5, 0.3), mix(person.skin, BLACK, 0.6), 0.55)
    canvas.stroke(cut[15:], mix(dress.colour, BLACK, 0.3), 0.03)
    canvas.stroke(mirrored(cut)[15:], mix(dress.colour, BLACK, 0.3), 0.03)


def _ears(canvas: Canvas, person: Person) -> None:
    for side in (-1, 1):
        x = side * (person.face.width + 0.01)
        canvas.fill(ellipse(x, 0.14, 0.10, 0.19), mix(person.skin, (80.0, 90.0, 150.0), 0.12))
        canvas.fill(
            ellipse(x + side * 0.01, 0.14, 0.05, 0.12), mix(person.skin, (60.0, 70.0, 130.0), 0.3)
        )


def _light_on_face(canvas: Canvas, person: Person) -> None:
    far = -np.sign(person.light)
    dark = mix(person.skin, (30.0, 34.0, 70.0), 0.75)
    canvas.glow(
        (far * person.face.width * 1.05, 0.25),
        (0.6, 1.2),
        dark,
        person.contrast * abs(person.light),
    )
    canvas.glow((-far * person.face.width * 0.5, 0.0), (0.5, 0.9), WHITE, 0.22 * abs(person.light))
    canvas.glow((0, 1.08), (0.75, 0.24), dark, 0.35)
    canvas.glow((0, -0.42), (0.4, 0.2), WHITE, 0.12)


def _hair_behind(canvas: Canvas, person: Person) -> None:
    hair, wide = person.hair, person.face.width + person.hair.volume
    if hair.style == "short":
        return
    low, flare = {"bob": (0.95, 0.12), "long": (2.1, 0.16), "tied": (0.55, -0.05)}[hair.style]
    side = [(0.0, -1.0 - hair.volume), (wide * 0.8, -0.75), (wide + 0.04, 0.0)]
    side += [(wide + flare, low * 0.7), (wide + flare * 0.6, low), (0.0, low + 0.02)]
    right = spline(side)
    canvas.fill(np.concatenate([right, mirrored(right)[::-1]]), mix(hair.colour, BLACK, 0.25))


def _hair_in_front(canvas: Canvas, person: Person) -> None:
    hair, cap = person.hair, _cap(person)
    part, crown = hair.part * 0.45, -1.0 - hair.volume
    canvas.fill(cap, hair.colour)
    with canvas.within(cap) as inside:
        inside.glow((person.light * 0.35, -0.88), (0.35, 0.10), mix(hair.colour, WHITE, 0.35), 0.6)
        for i in range(-4, 5):
            knots = [
                (part + i * 0.05, crown),
                (i * 0.17, -0.8),
                (i * 0.24, _hairline(person) + 0.2),
            ]
            tone = mix(hair.colour, BLACK if i % 2 else WHITE, 0.10)
            inside.stroke(spline(knots), tone, 0.012)


def _cap(person: Person) -> Points:
    """Return the outline of the hair in front: over the crown, and back along the fringe."""
    hair, edge = person.hair, person.face.width * 0.93
    crown, rim = -1.0 - hair.volume, person.face.width + hair.volume * 0.7
    temple = 0.12 if hair.style == "short" else 0.35
    over = [(-edge, temple), (-rim, -0.15), (-rim * 0.86, -0.68), (-0.34, crown + 0.03)]
    over += [(0.25, crown), (rim * 0.86, -0.68), (rim, -0.15), (edge, temple)]
    part, deep = hair.part * 0.45, _hairline(person)
    back = [(edge * 0.95, -0.22), (part + (edge - part) * 0.55, deep + 0.05)]
    back += [(part, deep - 0.16 * (1 - hair.fringe))]
    back += [(part - (edge + part) * 0.55, deep + 0.05), (-edge * 0.95, -0.22)]
    return spline(over + back, closed=True)


def _hairline(person: Person) -> float:
    return -0.62 + 0.22 * person.hair.fringe

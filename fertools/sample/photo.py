"""Draw a shot as pixels, and encode it as a file.

    scene ── person ── light on all ── blur ── enlargement ── grain ── orientation ── JPEG
    └─────────── at 0.6 megapixels at most ────┘

The drawing is small and then enlarged. So a photo of 12 megapixels takes 73 ms before its encoding,
instead of 650 ms at its full size; a detector does not need the sharper edges.

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
    mirror,
    mix,
    spline,
)
from fertools.sample.features import paint_features
from fertools.sample.people import EXPRESSIONS, REST, Expression, Person, rng_for
from fertools.sample.schedule import Session, Shot
from fertools.sample.setting import add_orientation_tag, draw_scene, to_stored_orientation

MAX_DRAWN_PIXELS: Final = 0.6e6
QUALITY: Final = 90
GRAIN: Final = 512  # side of the tile of grain in pixels
GRAIN_STRENGTH: Final = 0.09  # with the tile's deviation of 32: about 3 gray levels of 255

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
    """Draw a shot and return the bytes of its file; equal arguments result in equal bytes."""
    return encode_photo(draw_photo(seed, shot, pixels), shot.session.orientation)


def draw_photo(seed: int, shot: Shot, pixels: float) -> Pixels:
    """Return a shot of about `pixels` pixels: uint8, (H, W, 3), BGR, upright."""
    style = SessionStyle.draw(seed, shot.session, pixels)
    scale = min(1.0, sqrt(MAX_DRAWN_PIXELS / pixels))
    width, height = round(style.width * scale), round(style.height * scale)
    rng = rng_for(seed, "backdrop", shot.session.key)
    image = draw_scene(shot.session.place, rng, width, height)
    pose, expression = _pose_and_expression(seed, shot, style)
    small_pose = Pose(pose.x * scale, pose.y * scale, pose.unit * scale, pose.lean)
    paint(Canvas(image, small_pose), shot.session.person, expression, style.dress)
    return finish_drawing(seed, shot, image, style)


def encode_photo(image: Pixels, orientation: int | None) -> bytes:
    """Return a JPEG of an upright photo in a stored orientation, with the EXIF tag for it."""
    pixels = np.ascontiguousarray(to_stored_orientation(image, orientation))
    jpeg: bytes = simplejpeg.encode_jpeg(pixels, QUALITY, "BGR", "420")
    return add_orientation_tag(jpeg, orientation)


def true_face_box(seed: int, shot: Shot, pixels: float) -> Box:
    """Return the true face box in the upright photo, hairline to chin; draw no photo."""
    pose, _ = _pose_and_expression(seed, shot, SessionStyle.draw(seed, shot.session, pixels))
    head = head_outline(shot.session.person)
    face = pose.to_pixels(head[head[:, 1] > -0.72])
    return Box(*face.min(axis=0).tolist(), *face.max(axis=0).tolist())


@dataclass(frozen=True, slots=True)
class SessionStyle:
    """The common style of a session's shots: image size, pose, expression, dress, warmth."""

    width: int
    height: int
    pose: Pose
    expression: Expression
    dress: Dress
    warmth: float

    @classmethod
    def draw(cls, seed: int, session: Session, pixels: float) -> SessionStyle:
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
        expression = REST.interpolate(EXPRESSIONS[session.emotion], strength).vary(rng, 0.12)
        colour = mix(DRESSES[rng.integers(len(DRESSES))], WHITE, rng.uniform(0, 0.2))
        dress = Dress(colour, str(rng.choice(["round", "open", "high"])))
        return cls(width, height, pose, expression, dress, rng.uniform(-0.5, 1.0))


def image_sides(pixels: float) -> tuple[int, int]:
    """Return the longer and the shorter side of a 4:3 image of about `pixels`."""
    return round(sqrt(pixels * 4 / 3)), round(sqrt(pixels * 3 / 4))


def finish_drawing(seed: int, shot: Shot, image: Pixels, style: SessionStyle) -> Pixels:
    """Return a drawing after light, blur, enlargement to full size, and grain."""
    lit = cv2.multiply(image, _light_factors(shot.session, style, image), scale=1 / 128)
    soft = cv2.GaussianBlur(lit, (3, 3), 0)
    size = (style.width, style.height)
    large = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
    rng = rng_for(seed, "grain", shot.name)
    grain = _grain_image(int(rng.integers(GRAIN)), int(rng.integers(GRAIN)), *size)
    grainy = cv2.addWeighted(large, 1.0, grain, GRAIN_STRENGTH, -128 * GRAIN_STRENGTH)
    return np.asarray(grainy, np.uint8)


def _pose_and_expression(seed: int, shot: Shot, style: SessionStyle) -> tuple[Pose, Expression]:
    """Return pose and expression of a shot: those of the session, moved by about 1 %."""
    rng = rng_for(seed, "nudge", shot.name)
    pose = style.pose
    moved_pose = Pose(
        x=pose.x + rng.normal(0, 0.012) * pose.unit * 4,
        y=pose.y + rng.normal(0, 0.010) * pose.unit * 4,
        unit=pose.unit * (1 + rng.normal(0, 0.012)),
        lean=pose.lean + rng.normal(0, 0.010),
    )
    return moved_pose, style.expression.vary(rng, 0.04)


def _light_factors(session: Session, style: SessionStyle, image: Pixels) -> Pixels:
    """Return the factor of the light on each pixel, 128 = unchanged: uint8, the image's shape."""
    h, w = image.shape[:2]
    person = session.person
    side_light = np.linspace(-1, 1, 8, dtype=np.float32)[None, :] * person.light * person.contrast
    vertical_light = np.linspace(0.08, -0.12, 8, dtype=np.float32)[:, None]
    level = 1.0 + 0.6 * side_light + vertical_light
    colour_cast = np.array([1 - 0.06 * style.warmth, 1.0, 1 + 0.05 * style.warmth], np.float32)
    coarse = (level[:, :, None] * colour_cast * 128).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def _grain_image(x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return an image of grain: repeated tiles, from the offset (x, y) in a tile."""
    tile = np.roll(_grain_tile(), (-y, -x), axis=(0, 1))
    plane = np.tile(tile, (height // GRAIN + 1, width // GRAIN + 1, 1))
    return plane[:height, :width]


@cache
def _grain_tile() -> NDArray[np.uint8]:
    """Return the tile of grain, with mean 128; all photos use it, at different offsets."""
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
    """Paint a person on the canvas, with the head at the canvas's pose."""
    _paint_hair_behind(canvas, person)
    _paint_shoulders(canvas, person, dress)
    _paint_ears(canvas, person)
    head = head_outline(person)
    canvas.fill(head, person.skin)
    with canvas.within(head) as face:
        _paint_face_light(face, person)
        face.glow((0, -0.86), (0.95, 0.38), mix(person.skin, BLACK, 0.6), 0.5)  # hair's shadow
        paint_features(face, person, expression)
    _paint_hair_in_front(canvas, person)


def head_outline(person: Person) -> Points:
    """Return the outline of the head without hair: two half superellipses, narrower at the chin."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    power = np.where(s > 0, 2 / person.face.jaw, 2 / 2.25)
    y = np.sign(s) * np.abs(s) ** power
    x = np.sign(c) * np.abs(c) ** power * person.face.width
    return np.stack([x * (1 - person.face.taper * np.maximum(y, 0) ** 1.3), y], axis=1)


def _paint_shoulders(canvas: Canvas, person: Person, dress: Dress) -> None:
    width = 1.62 if person.sex == "남" else 1.42
    side = [(0.36, 1.16), (0.72, 1.36), (width, 1.62), (width + 0.28, 2.3), (width + 0.35, 4.2)]
    right = spline(side)
    body = np.concatenate([right, mirror(right)[::-1]])
    canvas.fill(body, dress.colour)
    for arm in (-1, 1):
        crease = spline([(arm * 1.02, 2.1), (arm * 1.1, 2.7), (arm * 1.06, 3.6)])
        canvas.stroke(crease, mix(dress.colour, BLACK, 0.15), 0.025)
    neck = 0.44 if person.sex == "남" else 0.36
    throat = {"round": 1.55, "open": 1.95, "high": 1.3}[dress.collar]
    cut = spline([(neck, 0.6), (neck * 1.02, 1.15), (neck * 1.3, 1.32), (0.0, throat)])
    skin = np.concatenate([cut, mirror(cut)[::-1]])
    canvas.fill(skin, mix(person.skin, (70.0, 84.0, 130.0), 0.16))
    canvas.glow((0, 1.0), (0.5, 0.3), mix(person.skin, BLACK, 0.6), 0.55)
    canvas.stroke(cut[15:], mix(dress.colour, BLACK, 0.3), 0.03)
    canvas.stroke(mirror(cut)[15:], mix(dress.colour, BLACK, 0.3), 0.03)


def _paint_ears(canvas: Canvas, person: Person) -> None:
    for side in (-1, 1):
        x = side * (person.face.width + 0.01)
        canvas.fill(ellipse(x, 0.14, 0.10, 0.19), mix(person.skin, (80.0, 90.0, 150.0), 0.12))
        canvas.fill(
            ellipse(x + side * 0.01, 0.14, 0.05, 0.12), mix(person.skin, (60.0, 70.0, 130.0), 0.3)
        )


def _paint_face_light(canvas: Canvas, person: Person) -> None:
    lit = np.sign(person.light)  # the lit side
    dark = mix(person.skin, (30.0, 34.0, 70.0), 0.75)
    canvas.glow(
        (-lit * person.face.width * 1.05, 0.25),
        (0.6, 1.2),
        dark,
        person.contrast * abs(person.light),
    )
    canvas.glow((lit * person.face.width * 0.5, 0.0), (0.5, 0.9), WHITE, 0.22 * abs(person.light))
    canvas.glow((0, 1.08), (0.75, 0.24), dark, 0.35)
    canvas.glow((0, -0.42), (0.4, 0.2), WHITE, 0.12)


def _paint_hair_behind(canvas: Canvas, person: Person) -> None:
    hair, wide = person.hair, person.face.width + person.hair.volume
    if hair.style == "short":
        return
    low, flare = {"bob": (0.95, 0.12), "long": (2.1, 0.16), "tied": (0.55, -0.05)}[hair.style]
    side = [(0.0, -1.0 - hair.volume), (wide * 0.8, -0.75), (wide + 0.04, 0.0)]
    side += [(wide + flare, low * 0.7), (wide + flare * 0.6, low), (0.0, low + 0.02)]
    right = spline(side)
    canvas.fill(np.concatenate([right, mirror(right)[::-1]]), mix(hair.colour, BLACK, 0.25))


def _paint_hair_in_front(canvas: Canvas, person: Person) -> None:
    hair, cap = person.hair, _hair_outline(person)
    part, crown = hair.part * 0.45, -1.0 - hair.volume
    canvas.fill(cap, hair.colour)
    with canvas.within(cap) as inside:
        inside.glow((person.light * 0.35, -0.88), (0.35, 0.10), mix(hair.colour, WHITE, 0.35), 0.6)
        for i in range(-4, 5):
            knots = [
                (part + i * 0.05, crown),
                (i * 0.17, -0.8),
                (i * 0.24, _hairline_y(person) + 0.2),
            ]
            tone = mix(hair.colour, BLACK if i % 2 else WHITE, 0.10)
            inside.stroke(spline(knots), tone, 0.012)


def _hair_outline(person: Person) -> Points:
    """Return the outline of the hair in front: over the crown and back along the fringe."""
    hair, edge = person.hair, person.face.width * 0.93
    crown, rim = -1.0 - hair.volume, person.face.width + hair.volume * 0.7
    temple = 0.12 if hair.style == "short" else 0.35
    over = [(-edge, temple), (-rim, -0.15), (-rim * 0.86, -0.68), (-0.34, crown + 0.03)]
    over += [(0.25, crown), (rim * 0.86, -0.68), (rim, -0.15), (edge, temple)]
    part, deep = hair.part * 0.45, _hairline_y(person)
    back = [(edge * 0.95, -0.22), (part + (edge - part) * 0.55, deep + 0.05)]
    back += [(part, deep - 0.16 * (1 - hair.fringe))]
    back += [(part - (edge + part) * 0.55, deep + 0.05), (-edge * 0.95, -0.22)]
    return spline(over + back, closed=True)


def _hairline_y(person: Person) -> float:
    return -0.62 + 0.22 * person.hair.fringe

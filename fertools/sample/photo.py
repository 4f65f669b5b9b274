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
from fertools.sample.canvas import Canvas, Pixels, Pose
from fertools.sample.dice import dice
from fertools.sample.expression import EXPRESSIONS, REST, Expression
from fertools.sample.orientation import stored, tagged
from fertools.sample.place import backdrop
from fertools.sample.portrait import Dress, face_box, paint
from fertools.sample.session import Session, Shot

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

"""A detector that needs no network, and an archive whose photos it can read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.archive.members import Members, MembersBuilder
from fertools.data import Box, Face, Member
from fertools.labels.filename import EMOTIONS

EMOTION_NAMES = tuple(EMOTIONS)


@dataclass(frozen=True)
class BrightSpot:
    """Takes the bright pixels of a dark photo for its face."""

    name: str = "bright spot 1"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        ys, xs = np.nonzero(image.min(axis=2) > 200)
        if not len(xs):
            return []
        box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
        return [Face(box, 0.9)]


def photo(spot: tuple[int, int, int] | None = (20, 16, 24), gray: int = 40, seed: int = 0) -> bytes:
    """Draw a photo of 80 × 64 with a bright square (x, y, side), or none; JPEG.

    Another seed is another wall behind it: two photos of one wall are copies of one picture.
    """
    wall = gray + np.random.default_rng(seed).integers(0, 50, (16, 20, 1), np.uint8)
    image = np.repeat(wall.repeat(4, axis=0).repeat(4, axis=1), 3, axis=2)
    if spot:
        x, y, side = spot
        image[y : y + side, x : x + side] = 250
    return bytes(simplejpeg.encode_jpeg(image, quality=95, colorspace="BGR"))


def members_of(members: Iterable[Member]) -> Members:
    """Pack members, in the order given."""
    builder = MembersBuilder({})
    builder.add(list(members))
    return Members(builder.columns(), tuple(builder.drops))


def person(number: int) -> str:
    """Give somebody's 64 hex digits."""
    return hashlib.sha256(f"person {number}".encode()).hexdigest()


def photo_name(who: int, emotion: str, shot: int, end: str = "jpg") -> str:
    """Name a photo as the archive does."""
    sex, age = "남여"[who % 2], 10 + 10 * (who % 6)
    stamp = f"202101{who % 28 + 1:02d}1200{shot % 60:02d}"
    return f"{person(who)}_{sex}_{age}_{emotion}_도심 환경_{stamp}-008-{shot:03d}.{end}"


def write_archive(
    folder: Path, people: int = 10, shots: int = 2, emotions: tuple[str, ...] = EMOTION_NAMES[:3]
) -> Path:
    """Write `shots` photos of everybody in each emotion, a folder an emotion."""
    for emotion in emotions:
        home = folder / "1.Training" / f"[원천]EMOIMG_{emotion}_TRAIN_01"
        home.mkdir(parents=True)
        for who in range(people):
            for shot in range(shots):
                seed = 10**6 + 1000 * who + 10 * shot + EMOTION_NAMES.index(emotion)
                spot = (10 + who, 8 + shot, 24)
                (home / photo_name(who, emotion, shot)).write_bytes(photo(spot, seed=seed))
    return folder

"""Variants of photos: the same people small, turned, cut, dark, pale, noisy, in poor JPEGs."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.sample.photo import draw_photo
from fertools.sample.schedule import schedule

Image = NDArray[np.uint8]
LONGER_SIDE = 1600  # pixels; larger photos are shrunk first, since the network sees 300


def variant(image: Image, key: str, number: int) -> Image:
    """The photo itself for 0, else one of its variants; always the same for the same key."""
    shrink = min(1.0, LONGER_SIDE / max(image.shape[:2]))
    image = _resized(image, shrink)
    if number == 0:
        return image
    digest = blake2b(f"{key} {number}".encode(), digest_size=8).digest()
    random = np.random.default_rng(int.from_bytes(digest, "big"))
    if random.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    image = (_turned, _small, _cut)[number % 3](image, random)
    if random.random() < 0.6:
        image = _lit(image, random)
    if random.random() < 0.5:
        image = _compressed(image, random)
    return image


def drawn(seed: int, people: int, count: int) -> Iterator[Image]:
    """Photos of drawn people, 0.6 megapixels."""
    shots = schedule(seed, people, 2 * count).training
    for shot in shots[:: len(shots) // count][:count]:
        yield draw_photo(seed, shot, 0.6e6)


def _turned(image: Image, random: np.random.Generator) -> Image:
    """By up to 25 degrees, with the edges repeated."""
    height, width = image.shape[:2]
    centre, angle, scale = (
        (width / 2, height / 2),
        random.uniform(-25, 25),
        random.uniform(0.8, 1.2),
    )
    turn = cv2.getRotationMatrix2D(centre, angle, scale)
    turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def _small(image: Image, random: np.random.Generator) -> Image:
    """At 0.2 to 0.6 of the largest size that fits, somewhere on coloured clouds."""
    height, width = ((960, 1280), (1280, 960))[random.integers(2)]
    blobs = random.integers(0, 256, (*random.integers(2, 12, 2), 3)).astype(np.uint8)
    frame = np.asarray(cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    largest = min(height / image.shape[0], width / image.shape[1])
    pasted = _resized(image, random.uniform(0.2, 0.6) * largest)
    y = random.integers(height - pasted.shape[0] + 1)
    x = random.integers(width - pasted.shape[1] + 1)
    frame[y : y + pasted.shape[0], x : x + pasted.shape[1]] = pasted
    return frame


def _cut(image: Image, random: np.random.Generator) -> Image:
    """A window of 0.45 to 0.9 of each side: close-ups, and faces cut by the edge."""
    height, width = (int(random.uniform(0.45, 0.9) * side) for side in image.shape[:2])
    y = random.integers(image.shape[0] - height + 1)
    x = random.integers(image.shape[1] - width + 1)
    return np.ascontiguousarray(image[y : y + height, x : x + width])


def _lit(image: Image, random: np.random.Generator) -> Image:
    """Darker or lighter, tinted, noisy."""
    values = (image / np.float32(255)) ** random.uniform(0.5, 2.0) * random.uniform(0.45, 1.5)
    values = (values + random.uniform(-0.08, 0.08)) * random.uniform(0.85, 1.15, 3)
    values += random.normal(0, random.uniform(0, 0.05), image.shape)
    return np.asarray(np.clip(values, 0, 1) * 255, np.uint8)


def _compressed(image: Image, random: np.random.Generator) -> Image:
    """At 0.3 to 1 of the sides, as JPEG of quality 12 to 59."""
    small = _resized(image, random.uniform(0.3, 1))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(12, 60))]
    data = cv2.imencode(".jpg", small, quality)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _resized(image: Image, factor: float) -> Image:
    size = (max(1, round(side * factor)) for side in image.shape[1::-1])
    return np.asarray(cv2.resize(image, tuple(size), interpolation=cv2.INTER_AREA), np.uint8)

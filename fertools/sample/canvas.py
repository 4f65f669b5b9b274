"""Draw curves on an image, in units of the head that is drawn.

    -y                  One unit is half the height of the head from chin to crown. The origin
     |                  is the middle of the head. A pose consists of the position of the head in
-x --+-- +x             the image, the pixels per unit, and the lean of the head.
     |
    +y

Outlines are arrays of points, float64, (N, 2), x to the right and y downwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import cos, sin
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Colour = tuple[float, float, float]  # blue, green, red, 0 to 255

BLACK: Final[Colour] = (0.0, 0.0, 0.0)
WHITE: Final[Colour] = (255.0, 255.0, 255.0)

STEPS: Final = 9  # points between knots: no corner is visible at 700 px; 16 look the same
SUBPIXEL_BITS: Final = 4  # with whole pixels, similar shots would differ by visible steps


def spline(knots: Sequence[tuple[float, float]], *, closed: bool = False) -> Points:
    """Return the points of a smooth curve through all knots (uniform Catmull-Rom, 1974)."""
    p = np.asarray(knots, dtype=np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    points: Points = curve.reshape(-1, 2)
    return points if closed else np.concatenate([points, p[-2:-1]])


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """Return the outline of the ellipse with centre (x, y) and half axes rx, ry."""
    t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def ribbon(middle: Points, half: NDArray[np.float64]) -> Points:
    """Return the outline of a band around a line; `half` is half its thickness at each point."""
    along = np.gradient(middle, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-9)[:, None]
    across *= half[:, None]
    return np.concatenate([middle + across, (middle - across)[::-1]])


def mirror(points: Points) -> Points:
    """Return points mirrored at x = 0."""
    flipped: Points = points * np.array([-1.0, 1.0])
    return flipped


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of a head: middle and unit in pixels, lean in radians, clockwise."""

    x: float
    y: float
    unit: float
    lean: float = 0.0

    def to_pixels(self, points: Points) -> Points:
        """Convert points from units of the head to pixels of the image."""
        c, s = cos(self.lean) * self.unit, sin(self.lean) * self.unit
        pixels: Points = points @ np.array([[c, s], [-s, c]]) + (self.x, self.y)
        return pixels


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that is `share` of the way from a to b."""
    blue, green, red = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return blue, green, red


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image to draw on in place, uint8, (H, W, 3), BGR, and the pose of the head."""

    image: Pixels
    pose: Pose

    def fill(self, outline: Points, colour: Colour) -> None:
        cv2.fillPoly(self.image, [self._fixed(outline)], colour, cv2.LINE_AA, SUBPIXEL_BITS)

    def stroke(self, line: Points, colour: Colour, width: float) -> None:
        """Draw a line, `width` units thick."""
        thick = max(1, round(width * self.pose.unit))
        cv2.polylines(
            self.image, [self._fixed(line)], False, colour, thick, cv2.LINE_AA, SUBPIXEL_BITS
        )

    def glow(
        self, middle: tuple[float, float], radii: tuple[float, float], colour: Colour, share: float
    ) -> None:
        """Blend in a soft spot: `share` of the colour in the middle, share / 7 at the radii."""
        cx, cy = self.pose.to_pixels(np.array([middle]))[0].tolist()
        px, py = radii[0] * self.pose.unit, radii[1] * self.pose.unit
        window = self._window(cx - 2 * px, cy - 2 * py, cx + 2 * px, cy + 2 * py)
        ys, xs = (np.arange(s.start, s.stop, dtype=np.float32) for s in window)
        soft = np.outer(np.exp(-2 * ((ys - cy) / py) ** 2), np.exp(-2 * ((xs - cx) / px) ** 2))
        part = self.image[window]
        part[:] = part + (np.array(colour, np.float32) - part) * (soft * share)[:, :, None]

    @contextmanager
    def within(self, outline: Points) -> Iterator[Canvas]:
        """Yield a copy to draw on; when the block ends, copy back its pixels inside the outline."""
        pixels = self.pose.to_pixels(outline)
        window = self._window(*(pixels.min(axis=0) - 1), *(pixels.max(axis=0) + 2))
        part = self.image[window]
        x, y = window[1].start, window[0].start
        inner = Canvas(part.copy(), replace(self.pose, x=self.pose.x - x, y=self.pose.y - y))
        yield inner
        mask = Canvas(np.zeros(part.shape[:2], np.uint8), inner.pose)
        mask.fill(outline, WHITE)
        share = (mask.image * np.float32(1 / 255))[:, :, None]
        part[:] = part + (inner.image.astype(np.float32) - part) * share

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return np.rint(self.pose.to_pixels(points) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def _window(self, x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
        height, width = self.image.shape[:2]
        left, top = min(max(int(x0), 0), width), min(max(int(y0), 0), height)
        return slice(top, max(top, min(int(y1), height))), slice(
            left, max(left, min(int(x1), width))
        )

"""Draw the scene behind a person, and convert a photo to the stored orientation of a camera.

EXIF orientation (EXIF 2.3, 4.6.4):

    tag   the upright photo is the stored one …       share in the archive
     1    as it is                                     59.5 %
     2    mirrored left to right                        0.4 %
     3    turned by 180°                               25.2 %
     4    mirrored top to bottom                        5.8 %
     5    transposed                                      –
     6    turned clockwise                                –
     7    transposed and turned by 180°                   –
     8    turned anticlockwise                          0.4 %
     0    as it is; invalid, but cameras write it     }
    none  as it is                                    }  8.6 %
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from fertools.sample.canvas import WHITE, Colour, Pixels, mix

COARSE: Final = 96  # longer side of a scene in pixels before the enlargement, which blurs it

ORIENTATION_TAG: Final = 0x0112
SHORT: Final = 3  # the EXIF type

#: OpenCV's flip code by orientation, after the transposition of 5 to 8: 0 top to bottom, 1 left to
#: right, -1 both.
FLIPS: Final[dict[int | None, int]] = {2: 1, 3: -1, 4: 0, 6: 0, 7: -1, 8: 1}

#: Shares of orientations, as published; the sum is 99.9 %. 0 and None have half of 8.6 % each.
ORIENTATION_SHARES: Final[dict[int | None, float]] = {
    1: 0.595,
    3: 0.252,
    None: 0.043,
    0: 0.043,
    4: 0.058,
    8: 0.004,
    2: 0.004,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place: its code and name in the archive, and the colours and objects of its scene.

    `above` and `below` are the colours above and below the horizon.
    """

    code: int
    name: str
    above: Colour
    below: Colour
    objects: str  # panes, towers, leaves, lamps or roofs
    tints: tuple[Colour, Colour]


STONE, WOOD, LEAF = (176.0, 182.0, 186.0), (96.0, 132.0, 176.0), (84.0, 148.0, 104.0)
SKY, NIGHT, CREAM = (226.0, 206.0, 176.0), (70.0, 52.0, 52.0), (204.0, 220.0, 232.0)
STEEL, ROAD, GOLD = (158.0, 146.0, 134.0), (124.0, 122.0, 120.0), (110.0, 190.0, 236.0)
BRICK, PINE, SEA = (92.0, 104.0, 168.0), (72.0, 106.0, 76.0), (184.0, 158.0, 96.0)

PLACES: tuple[Place, ...] = (
    Place(1, "공공시설&종교&의료시설", CREAM, STONE, "panes", (WHITE, SEA)),
    Place(2, "교통&이동수단(엘리베이터 포함)", STEEL, ROAD, "panes", (SKY, STEEL)),
    Place(3, "상업시설&점포&시장", CREAM, WOOD, "lamps", (GOLD, BRICK)),
    Place(4, "스포츠 관람 및 레저시설", SKY, LEAF, "lamps", (SEA, WHITE)),
    Place(5, "오락&공연시설", NIGHT, (48.0, 38.0, 64.0), "lamps", (GOLD, (190.0, 90.0, 150.0))),
    Place(6, "행사&사무공간", (212.0, 214.0, 212.0), STEEL, "panes", (WHITE, ROAD)),
    Place(7, "실외 자연환경", SKY, LEAF, "leaves", (PINE, LEAF)),
    Place(8, "도심 환경", SKY, ROAD, "towers", (STEEL, BRICK)),
    Place(9, "문화재 및 유적지", SKY, (150.0, 176.0, 196.0), "roofs", (NIGHT, PINE)),
    Place(10, "숙박 및 거주공간", CREAM, WOOD, "panes", (WOOD, SKY)),
)


def draw_scene(place: Place, rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Return a blurred picture of a place: uint8, (height, width, 3), BGR.

    It is drawn with 96 px on the longer side and enlarged, which looks like a lens's blur.
    """
    scale = COARSE / max(width, height)
    w, h = max(8, round(width * scale)), max(8, round(height * scale))
    horizon = int(h * rng.uniform(0.55, 0.75))
    darkening = np.linspace(0, 0.25, h, dtype=np.float32)[:, None, None]
    ground = (np.arange(h) >= horizon)[:, None, None]
    base = np.where(ground, *np.array([place.below, place.above], np.float32)) * (1.0 - darkening)
    image = np.ascontiguousarray(np.broadcast_to(base, (h, w, 3)).clip(0, 255).astype(np.uint8))
    for i in range(10):
        near = mix(place.tints[i % 2], place.above, rng.uniform(0.1, 0.6))
        _draw_object(image, place.objects, rng, near, horizon)
    soft = cv2.GaussianBlur(image, (0, 0), 1.1)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _draw_object(
    image: Pixels, kind: str, rng: np.random.Generator, tint: Colour, ground: int
) -> None:
    w = image.shape[1]
    x, size = int(rng.uniform(0, w)), int(rng.uniform(0.08, 0.2) * w)
    y = int(rng.uniform(0, ground))
    if kind == "panes":
        cv2.rectangle(image, (x, y // 2), (x + size, ground - y // 4), tint, -1)
    elif kind == "towers":
        cv2.rectangle(image, (x, y), (x + size, ground), tint, -1)
    elif kind == "leaves":
        cv2.circle(image, (x, ground - y // 3), size, tint, -1, cv2.LINE_AA)
    elif kind == "lamps":
        cv2.circle(image, (x, y), max(2, size // 4), mix(tint, WHITE, 0.3), -1, cv2.LINE_AA)
    else:
        # Wide and low: with walls narrower than the roof, one house in eight is a false face.
        eave, wide = ground - y // 4, size + size // 2
        corners = [(-wide, 0), (-size, -(size // 2)), (size, -(size // 2)), (wide, 0)]
        roof = np.add(corners, (x, eave), dtype=np.int32)
        cv2.rectangle(image, (x - size, eave), (x + size, ground), mix(tint, WHITE, 0.5), -1)
        cv2.fillPoly(image, [roof], mix(tint, (40.0, 40.0, 40.0), 0.5), cv2.LINE_AA)


def to_stored_orientation(upright: Pixels, tag: int | None) -> Pixels:
    """Return an upright photo as a camera with this orientation tag stores it."""
    stored = cv2.transpose(upright) if tag in (5, 6, 7, 8) else upright
    return np.asarray(cv2.flip(stored, FLIPS[tag]) if tag in FLIPS else stored, np.uint8)


def add_orientation_tag(jpeg: bytes, tag: int | None) -> bytes:
    """Return a JPEG with an EXIF segment that contains only the orientation; None adds nothing.

    SOI │ APP1 length "Exif" 0 0 │ "II" 42, directory at 8 │ 1 entry: tag type 1 value │ 0 │ …
    """
    if tag is None:
        return jpeg
    entry = struct.pack("<HHIHH", ORIENTATION_TAG, SHORT, 1, tag, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]

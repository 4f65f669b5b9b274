"""Draw tiles of photos with their boxes and crops onto one sheet, as PNG.

    ┌─ title, legend ──────────────────────────────────┐
    │ ┌─────────────┬──────┐  ┌─────────────┬──────┐   │
    │ │ photo       │ crop │  │ photo       │ crop │   │   four tiles a row
    │ │  □ faces    │      │  │  □ faces    │      │   │
    │ ├─────────────┴──────┤  ├─────────────┴──────┤   │
    │ │ class              │  │ class              │   │
    │ │ face, what is found│  │ reason             │   │
    │ │ name               │  │ name               │   │
    │ └────────────────────┘  └────────────────────┘   │
    └──────────────────────────────────────────────────┘

Pillow writes the texts: OpenCV has no Hangul.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from fertools.console import name_pair
from fertools.data import Box, Crop, Drop, Face
from fertools.errors import printable
from fertools.fonts import font_file
from fertools.inspection.pictures import MARK

COLUMNS: Final = 4
TILE_WIDTH: Final = 336
TILE_HEIGHT: Final = 298
MARGIN: Final = 12
HEAD: Final = 76
#: Where a tile has its photo and its crop, and their sides in pixels.
PAD: Final = 8
PHOTO: Final = 208
CROP: Final = 104

#: Colours of boxes, distinct for the colour-blind too: their lines differ as well.
CHOSEN: Final = (0, 158, 115)
OTHER: Final = (230, 159, 0)
GHOST: Final = (213, 30, 90)

_PAGE, _KEPT, _DROPPED = (236, 238, 241), (255, 255, 255), (253, 232, 232)
_INK, _FAINT, _ALARM = (17, 24, 39), (75, 85, 99), (160, 20, 20)
_LEGEND: Final = (
    (CHOSEN, "chosen face"),
    (OTHER, "other face"),
    (GHOST, "ghost: no face (outside the photo, or unsure)"),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One photo as the build sees it.

    key, name, english  the member, its class and the class in English
    fate                its crop, or the reason why it has none
    faces, ghosts       what the detector found, in pixels of the photo (see faces.extract.Found)
    photo               the upright photo, its longer side PHOTO: uint8 (h, w, 3), BGR; None if
                        it could not be decoded
    width               of the photo in pixels
    """

    key: str
    name: str
    english: str
    fate: Crop | Drop
    faces: tuple[Face, ...] = ()
    ghosts: tuple[Face, ...] = ()
    photo: NDArray[np.uint8] | None = None
    width: int = 0

    @property
    def file_name(self) -> str:
        """The member's name without folders."""
        return self.key.rpartition("/")[2]

    @property
    def chosen(self) -> Box | None:
        """The box of the face that is cropped."""
        return self.fate.box if isinstance(self.fate, Crop) else None

    @property
    def found_text(self) -> str:
        """What was found: "2 faces, 1 ghost", or the reason for which the photo is dropped."""
        counts = ((len(self.faces), "face"), (len(self.ghosts), "ghost"))
        words = [f"{number} {noun}{'s' * (number > 1)}" for number, noun in counts if number]
        return ", ".join([self.fate.reason, *words] if isinstance(self.fate, Drop) else words)


def draw_sheet(tiles: Sequence[Tile], title: str) -> bytes:
    """Return a PNG of all tiles, the first at the top left; the same tiles, the same bytes."""
    rows = max(1, -(-len(tiles) // COLUMNS))
    size = (
        COLUMNS * (TILE_WIDTH + MARGIN) + MARGIN,
        HEAD + rows * (TILE_HEIGHT + MARGIN),
    )
    image = Image.new("RGB", size, _PAGE)
    pen = _Pen(image, frozenset("".join(printable(tile.name + tile.english) for tile in tiles)))
    pen.text((MARGIN + 2, 12), title, 19, width=size[0] - 2 * MARGIN)
    _draw_legend(pen)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        place = MARGIN + column * (TILE_WIDTH + MARGIN), HEAD + row * (TILE_HEIGHT + MARGIN)
        _draw_tile(pen, tile, place, number + 1)
    info = PngInfo()
    info.add_text("Software", MARK)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


class _Pen:
    """Draws on an image; texts are cut to a width, and letters that the font lacks become "?"."""

    def __init__(self, image: Image.Image, letters: frozenset[str]) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self._file, self._has = font_file(letters)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self.has_names = letters <= self._has

    def text(
        self,
        place: tuple[int, int],
        text: str,
        size: int,
        colour: tuple[int, int, int] = _INK,
        width: int = TILE_WIDTH - 2 * PAD,
    ) -> float:
        """Write one line and return its width; a longer text loses its middle."""
        font = self._fonts.setdefault(size, ImageFont.truetype(self._file, size))
        text = "".join(char if char in self._has or char == " " else "?" for char in text)
        shown, keep = text, len(text)
        while font.getlength(shown) > width and keep > 1:
            keep = min(keep - 1, int(keep * width / font.getlength(shown)) + 1)
            shown = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
        self.draw.text(place, shown, colour, font)
        return font.getlength(shown)


def _draw_box(
    draw: ImageDraw.ImageDraw, corners: Sequence[float], colour: tuple[int, int, int], style: str
) -> None:
    """Draw a rectangle: "thick" or "thin", with a dark line around it, or "dashed"."""
    x0, y0, x1, y1 = (round(x) for x in corners)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    if style != "dashed":
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline=(0, 0, 0))
        draw.rectangle((x0, y0, x1, y1), outline=colour, width=3 if style == "thick" else 2)
        return
    for start in range(x0, x1, 10):
        for y in (y0, y1):
            draw.line((start, y, min(start + 6, x1), y), colour, 3)
    for start in range(y0, y1, 10):
        for x in (x0, x1):
            draw.line((x, start, x, min(start + 6, y1)), colour, 3)


def _draw_legend(pen: _Pen) -> None:
    x, y = MARGIN + 4, 46
    for (colour, text), style in zip(_LEGEND, ("thick", "thin", "dashed"), strict=True):
        _draw_box(pen.draw, (x, y, x + 22, y + 15), colour, style)
        x += 30 + round(pen.text((x + 30, y - 2), text, 14, _FAINT, 400)) + 24


def _draw_tile(pen: _Pen, tile: Tile, place: tuple[int, int], number: int) -> None:
    x, y = place
    dropped = isinstance(tile.fate, Drop)
    colour = _DROPPED if dropped else _KEPT
    pen.draw.rounded_rectangle((x, y, x + TILE_WIDTH, y + TILE_HEIGHT), 6, colour)
    x, y = x + PAD, y + PAD
    _draw_photo(pen, tile, (x, y))
    _draw_crop(pen, tile, (x + PHOTO + PAD, y))
    y += PHOTO + 6
    name = name_pair(tile.name if pen.has_names else tile.english, tile.english)
    pen.text((x, y), name, 18, width=TILE_WIDTH - 3 * PAD - 36)
    pen.text((x + TILE_WIDTH - 2 * PAD - 36, y + 3), f"{number:>4}", 14, _FAINT)
    pen.text((x, y + 27), _facts(tile), 14, _ALARM if dropped else _INK)
    pen.text((x, y + 50), printable(tile.file_name), 12, _FAINT)


def _facts(tile: Tile) -> str:
    if isinstance(tile.fate, Drop):
        detail = printable(tile.fate.detail) if tile.photo is not None else ""
        return ": ".join(filter(None, (tile.found_text, detail)))
    box = tile.fate.box
    return f"{tile.fate.confidence:.3f}, {box.width:.0f}×{box.height:.0f} px, {tile.found_text}"


def _draw_photo(pen: _Pen, tile: Tile, place: tuple[int, int]) -> None:
    if tile.photo is None:
        pen.draw.rectangle((*place, place[0] + PHOTO, place[1] + PHOTO), outline=_ALARM)
        if isinstance(tile.fate, Drop):
            for i, line in enumerate(wrap(printable(tile.fate.detail), 26)[:9]):
                pen.text((place[0] + PAD, place[1] + PAD + 20 * i), line, 13, _ALARM)
        return
    photo = Image.fromarray(cv2.cvtColor(tile.photo, cv2.COLOR_BGR2RGB))
    left = place[0] + (PHOTO - photo.width) // 2
    top = place[1] + (PHOTO - photo.height) // 2
    # Boxes are drawn on the photo itself: they end at its edges.
    draw = ImageDraw.Draw(photo)
    factor = photo.width / tile.width
    for ghost in tile.ghosts:
        _draw_box(draw, _scaled(ghost.box, factor), GHOST, "dashed")
    for face in tile.faces:
        if face.box != tile.chosen:
            _draw_box(draw, _scaled(face.box, factor), OTHER, "thin")
    if tile.chosen:
        _draw_box(draw, _scaled(tile.chosen, factor), CHOSEN, "thick")
    pen.image.paste(photo, (left, top))


def _scaled(box: Box, factor: float) -> tuple[float, ...]:
    return tuple(factor * side for side in (box.x0, box.y0, box.x1, box.y1))


def _draw_crop(pen: _Pen, tile: Tile, place: tuple[int, int]) -> None:
    """Draw the crop itself, decoded from its bytes; a small one enlarged by whole pixels."""
    if not isinstance(tile.fate, Crop):
        return
    data = np.frombuffer(tile.fate.image, np.uint8)
    gray = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    size = gray.shape[0]
    side = CROP // size * size if size <= CROP else CROP
    method = cv2.INTER_NEAREST if size <= CROP else cv2.INTER_AREA
    shown = Image.fromarray(cv2.resize(gray, (side, side), interpolation=method))
    pen.image.paste(shown, place)
    pen.text((place[0], place[1] + side + 3), f"{size}×{size}", 12, _FAINT)

"""Plant the unusual files that real archives have beside the photos, and count them.

Each kind is a function from a context to a file name and bytes; a new kind is a function and a line
in KINDS. Planted files have no label record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from unicodedata import normalize

import cv2
import numpy as np

from fertools.sample.canvas import Canvas, Pose
from fertools.sample.people import EXPRESSIONS, Person, rng_for
from fertools.sample.photo import (
    SessionStyle,
    draw_photo,
    encode_photo,
    finish_drawing,
    image_sides,
    paint,
    photograph,
)
from fertools.sample.schedule import Shot
from fertools.sample.setting import PLACES, draw_scene

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00" + b"Mac OS X        " + bytes(58)
OLE_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
WEB_PAGE = "<!DOCTYPE html>\n<title>로그인</title>\n<p>세션이 만료되었습니다.\n".encode()


@dataclass(frozen=True, slots=True)
class Context:
    """What a file is made from: a shot of the archive, and the same person an hour later."""

    seed: int
    pixels: float
    number: int  # of this kind, from 0
    shot: Shot
    later: Shot

    def photo(self, shot: Shot) -> bytes:
        return photograph(self.seed, shot, self.pixels)


File = tuple[str, bytes]


def no_face(context: Context) -> File:
    """Return a street without people, under a proper name."""
    long, short = image_sides(context.pixels)
    rng = rng_for(context.seed, "street", context.later.name)
    # Towers: the detector's highest confidence in 40 was 0.13; among trees it was 0.64 once.
    return context.later.name, encode_photo(draw_scene(PLACES[7], rng, long, short), None)


def two_faces(context: Context) -> File:
    """Return two people side by side, the second of whom is nowhere else in the archive."""
    session = context.later.session
    style = replace(SessionStyle.drawn(context.seed, session, 4e5), width=730, height=548)
    rng = rng_for(context.seed, "pair", context.later.name)
    image = draw_scene(session.place, rng, style.width, style.height)
    guest = Person.drawn(context.seed, session.key)
    for person, x in ((session.person, 0.29), (guest, 0.71)):
        pose = Pose(x * style.width, 240, 96, rng.normal(0, 0.05))
        paint(Canvas(image, pose), person, EXPRESSIONS[session.emotion], style.dress)
    return context.later.name, encode_photo(
        finish_drawing(context.seed, context.later, image, style), 1
    )


def cut_short(context: Context) -> File:
    """Return a truncated JPEG."""
    whole = context.photo(context.later)
    return context.later.name, whole[: len(whole) * 3 // 5]


def empty(context: Context) -> File:
    """Return a name without bytes."""
    return context.later.name, b""


def nameless(context: Context) -> File:
    """Return a good photo under the file name of a camera."""
    return f"IMG_{context.number + 1:04}.jpg", context.photo(context.later)


def apple_double(context: Context) -> File:
    """Return the AppleDouble file that macOS writes beside a file."""
    return f"._{context.shot.name}", APPLE_DOUBLE


def thumbs_db(context: Context) -> File:
    """Return the thumbnail cache that Windows writes into a folder of pictures."""
    return f"Thumbs{f' ({context.number})' if context.number else ''}.db", OLE_FILE


def png(context: Context) -> File:
    """Return a good photo in another format."""
    image = draw_photo(context.seed, context.later, min(context.pixels, 1e6))
    _, data = cv2.imencode(".png", image)
    return replace(context.later, ending="png").name, np.asarray(data, np.uint8).tobytes()


def web_page(context: Context) -> File:
    """Return a log-in page that was saved instead of the photo."""
    return context.later.name, WEB_PAGE


def copy(context: Context) -> File:
    """Return an identical duplicate of a photo, as cloud drives name it."""
    stem, ending = context.shot.name.rsplit(".", 1)
    return f"{stem} ({context.number + 1}).{ending}", context.photo(context.shot)


def underscored(context: Context) -> File:
    """Return a good photo in whose name an unzip tool replaced `&` by `_`."""
    crowded = replace(context.later, session=replace(context.later.session, place=PLACES[0]))
    return crowded.name.replace("&", "_"), context.photo(crowded)


def decomposed(context: Context) -> File:
    """Return a good photo whose name macOS has decomposed (NFD)."""
    return normalize("NFD", context.later.name), context.photo(context.later)


def _turned(tag: int) -> Callable[[Context], File]:
    def turned(context: Context) -> File:
        """Return a good photo in an orientation that is rare or absent in the archive."""
        shot = replace(context.later, session=replace(context.later.session, orientation=tag))
        return shot.name, context.photo(shot)

    return turned


KINDS: dict[str, Callable[[Context], File]] = {
    "no_face": no_face,
    "two_faces": two_faces,
    "cut_short": cut_short,
    "empty": empty,
    "nameless": nameless,
    "apple_double": apple_double,
    "thumbs_db": thumbs_db,
    "png": png,
    "web_page": web_page,
    "copy": copy,
    "underscored": underscored,
    "decomposed": decomposed,
    "exif_5": _turned(5),
    "exif_6": _turned(6),
    "exif_7": _turned(7),
    "exif_8": _turned(8),
}
LOOSE_ONLY = frozenset({"decomposed"})  # CP949 has no decomposed syllables


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file to plant in the container of `shot`."""

    kind: str
    context: Context

    @property
    def shot(self) -> Shot:
        return self.context.shot

    def file(self) -> File:
        return KINDS[self.kind](self.context)


def plant(
    seed: int, shots: tuple[Shot, ...], pixels: float, each: int, loose: bool
) -> list[Trouble]:
    """Return `each` files of every kind, each for the container of one of `shots`, by the seed.

    With `loose` the containers are folders, which can also hold the kinds that zips cannot.
    """
    kinds = [kind for kind in KINDS if loose or kind not in LOOSE_ONLY]
    planted = []
    for k, kind in enumerate(kinds):
        for i in range(each):
            shot = shots[int(rng_for(seed, "trouble", kind, i).integers(len(shots)))]
            start = shot.session.start + timedelta(hours=1 + k, minutes=i)
            # Another session, so that the person has another pose and other clothes.
            later = replace(shot.session, key=f"{kind} {i}", start=start, orientation=1)
            context = Context(seed, pixels, i, shot, replace(shot, session=later, ending="jpg"))
            planted.append(Trouble(kind, context))
    return planted

"""Plant the unusual files that real archives have beside the photos, and count them.

Each kind is a function from a `Trouble` to a file name and bytes; a new kind is a function and a
line in KINDS. Planted files have no label record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
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


File = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file to plant in the container of `shot`.

    number  of this kind, from 0
    later   the same person an hour later, in another session
    """

    kind: str
    seed: int
    pixels: float
    number: int
    shot: Shot
    later: Shot

    def file(self) -> File:
        return KINDS[self.kind](self)

    def photo(self, shot: Shot) -> bytes:
        return photograph(self.seed, shot, self.pixels)


def no_face(trouble: Trouble) -> File:
    """Return a street without people, under a proper name."""
    long, short = image_sides(trouble.pixels)
    rng = rng_for(trouble.seed, "street", trouble.later.name)
    # Towers: the detector's highest confidence in 40 was 0.13; among trees it was 0.64 once.
    return trouble.later.name, encode_photo(draw_scene(PLACES[7], rng, long, short), None)


def two_faces(trouble: Trouble) -> File:
    """Return two people side by side; the second one is nowhere else in the archive."""
    session = trouble.later.session
    style = replace(SessionStyle.drawn(trouble.seed, session, 4e5), width=730, height=548)
    rng = rng_for(trouble.seed, "pair", trouble.later.name)
    image = draw_scene(session.place, rng, style.width, style.height)
    guest = Person.drawn(trouble.seed, session.key)
    for person, x in ((session.person, 0.29), (guest, 0.71)):
        pose = Pose(x * style.width, 240, 96, rng.normal(0, 0.05))
        paint(Canvas(image, pose), person, EXPRESSIONS[session.emotion], style.dress)
    return trouble.later.name, encode_photo(
        finish_drawing(trouble.seed, trouble.later, image, style), 1
    )


def cut_short(trouble: Trouble) -> File:
    """Return a truncated JPEG."""
    whole = trouble.photo(trouble.later)
    return trouble.later.name, whole[: len(whole) * 3 // 5]


def empty(trouble: Trouble) -> File:
    """Return a name without bytes."""
    return trouble.later.name, b""


def nameless(trouble: Trouble) -> File:
    """Return a good photo under the file name of a camera."""
    return f"IMG_{trouble.number + 1:04}.jpg", trouble.photo(trouble.later)


def apple_double(trouble: Trouble) -> File:
    """Return the AppleDouble file that macOS writes beside a file."""
    return f"._{trouble.shot.name}", APPLE_DOUBLE


def thumbs_db(trouble: Trouble) -> File:
    """Return the thumbnail cache that Windows writes into a folder of pictures."""
    return f"Thumbs{f' ({trouble.number})' if trouble.number else ''}.db", OLE_FILE


def png(trouble: Trouble) -> File:
    """Return a good photo in another format."""
    image = draw_photo(trouble.seed, trouble.later, min(trouble.pixels, 1e6))
    _, data = cv2.imencode(".png", image)
    return replace(trouble.later, ending="png").name, np.asarray(data, np.uint8).tobytes()


def web_page(trouble: Trouble) -> File:
    """Return a log-in page that was saved instead of the photo."""
    return trouble.later.name, WEB_PAGE


def copy(trouble: Trouble) -> File:
    """Return an identical duplicate of a photo, as cloud drives name it."""
    stem, ending = trouble.shot.name.rsplit(".", 1)
    return f"{stem} ({trouble.number + 1}).{ending}", trouble.photo(trouble.shot)


def underscored(trouble: Trouble) -> File:
    """Return a good photo in whose name an unzip tool replaced `&` by `_`."""
    crowded = replace(trouble.later, session=replace(trouble.later.session, place=PLACES[0]))
    return crowded.name.replace("&", "_"), trouble.photo(crowded)


def decomposed(trouble: Trouble) -> File:
    """Return a good photo whose name macOS has decomposed (NFD)."""
    return normalize("NFD", trouble.later.name), trouble.photo(trouble.later)


def turned(tag: int, trouble: Trouble) -> File:
    """Return a good photo in an orientation that is rare or absent in the archive."""
    session = replace(trouble.later.session, orientation=tag)
    shot = replace(trouble.later, session=session)
    return shot.name, trouble.photo(shot)


KINDS: dict[str, Callable[[Trouble], File]] = {
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
    **{f"exif_{tag}": partial(turned, tag) for tag in (5, 6, 7, 8)},
}
LOOSE_ONLY = frozenset({"decomposed"})  # CP949 has no decomposed syllables


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
            session = replace(shot.session, key=f"{kind} {i}", start=start, orientation=1)
            later = replace(shot, session=session, ending="jpg")
            planted.append(Trouble(kind, seed, pixels, i, shot, later))
    return planted

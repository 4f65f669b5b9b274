"""Define the unusual files that real archives have beside the photos, and choose some by a seed.

Each kind is a function that returns the file name and the bytes for a `Trouble`. A new kind needs a
function and a line in KINDS. Planted files have no label record.
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

    number      counts the files of this kind from 0
    later_shot  the same person in another session, an hour later or more
    """

    kind: str
    seed: int
    pixels: float
    number: int
    shot: Shot
    later_shot: Shot

    def file(self) -> File:
        return KINDS[self.kind](self)

    def photo(self, shot: Shot) -> bytes:
        return photograph(self.seed, shot, self.pixels)


def no_face_file(trouble: Trouble) -> File:
    """Return a street without people, under a regular name."""
    long, short = image_sides(trouble.pixels)
    rng = rng_for(trouble.seed, "street", trouble.later_shot.name)
    # With towers, the detector's highest confidence in 40 scenes was 0.13; with trees 0.64.
    return trouble.later_shot.name, encode_photo(draw_scene(PLACES[7], rng, long, short), None)


def two_faces_file(trouble: Trouble) -> File:
    """Return two people side by side; the second person is in no other photo."""
    session = trouble.later_shot.session
    style = replace(SessionStyle.draw(trouble.seed, session, 4e5), width=730, height=548)
    rng = rng_for(trouble.seed, "pair", trouble.later_shot.name)
    image = draw_scene(session.place, rng, style.width, style.height)
    second = Person.draw(trouble.seed, session.key)
    for person, x in ((session.person, 0.29), (second, 0.71)):
        pose = Pose(x * style.width, 240, 96, rng.normal(0, 0.05))
        paint(Canvas(image, pose), person, EXPRESSIONS[session.emotion], style.dress)
    return trouble.later_shot.name, encode_photo(
        finish_drawing(trouble.seed, trouble.later_shot, image, style), 1
    )


def truncated_file(trouble: Trouble) -> File:
    """Return a truncated JPEG."""
    whole = trouble.photo(trouble.later_shot)
    return trouble.later_shot.name, whole[: len(whole) * 3 // 5]


def empty_file(trouble: Trouble) -> File:
    """Return a file without bytes, under a regular name."""
    return trouble.later_shot.name, b""


def nameless_file(trouble: Trouble) -> File:
    """Return a usable photo under the file name of a camera."""
    return f"IMG_{trouble.number + 1:04}.jpg", trouble.photo(trouble.later_shot)


def apple_double_file(trouble: Trouble) -> File:
    """Return the AppleDouble file that macOS writes beside a file."""
    return f"._{trouble.shot.name}", APPLE_DOUBLE


def thumbs_db_file(trouble: Trouble) -> File:
    """Return the thumbnail cache that Windows writes into a folder of pictures."""
    return f"Thumbs{f' ({trouble.number})' if trouble.number else ''}.db", OLE_FILE


def png_file(trouble: Trouble) -> File:
    """Return a usable photo in the format PNG."""
    image = draw_photo(trouble.seed, trouble.later_shot, min(trouble.pixels, 1e6))
    _, data = cv2.imencode(".png", image)
    return replace(trouble.later_shot, ending="png").name, np.asarray(data, np.uint8).tobytes()


def web_page_file(trouble: Trouble) -> File:
    """Return a log-in page that was saved under the name of a photo."""
    return trouble.later_shot.name, WEB_PAGE


def copy_file(trouble: Trouble) -> File:
    """Return a photo of the archive again, under the name that cloud drives give a copy."""
    stem, ending = trouble.shot.name.rsplit(".", 1)
    return f"{stem} ({trouble.number + 1}).{ending}", trouble.photo(trouble.shot)


def underscored_file(trouble: Trouble) -> File:
    """Return a usable photo whose name has `_` for `&`, as after some unzip tools."""
    shot = replace(trouble.later_shot, session=replace(trouble.later_shot.session, place=PLACES[0]))
    return shot.name.replace("&", "_"), trouble.photo(shot)


def decomposed_file(trouble: Trouble) -> File:
    """Return a usable photo with a decomposed name (NFD), as macOS writes it."""
    return normalize("NFD", trouble.later_shot.name), trouble.photo(trouble.later_shot)


def rotated_file(tag: int, trouble: Trouble) -> File:
    """Return a usable photo in an orientation that is rare or absent in the archive."""
    session = replace(trouble.later_shot.session, orientation=tag)
    shot = replace(trouble.later_shot, session=session)
    return shot.name, trouble.photo(shot)


KINDS: dict[str, Callable[[Trouble], File]] = {
    "no_face": no_face_file,
    "two_faces": two_faces_file,
    "cut_short": truncated_file,
    "empty": empty_file,
    "nameless": nameless_file,
    "apple_double": apple_double_file,
    "thumbs_db": thumbs_db_file,
    "png": png_file,
    "web_page": web_page_file,
    "copy": copy_file,
    "underscored": underscored_file,
    "decomposed": decomposed_file,
    **{f"exif_{tag}": partial(rotated_file, tag) for tag in (5, 6, 7, 8)},
}
LOOSE_ONLY = frozenset({"decomposed"})  # CP949 cannot encode decomposed syllables


def choose_troubles(
    seed: int, shots: tuple[Shot, ...], pixels: float, each: int, loose: bool
) -> list[Trouble]:
    """Choose `each` files of every kind, and for each file the shot whose container gets it.

    With `loose` the containers are folders; only then are the kinds in LOOSE_ONLY possible.
    """
    kinds = [kind for kind in KINDS if loose or kind not in LOOSE_ONLY]
    planted = []
    for k, kind in enumerate(kinds):
        for i in range(each):
            shot = shots[int(rng_for(seed, "trouble", kind, i).integers(len(shots)))]
            start = shot.session.start + timedelta(hours=1 + k, minutes=i)
            # Another session, so that the person has another pose and other clothes.
            session = replace(shot.session, key=f"{kind} {i}", start=start, orientation=1)
            later_shot = replace(shot, session=session, ending="jpg")
            planted.append(Trouble(kind, seed, pixels, i, shot, later_shot))
    return planted

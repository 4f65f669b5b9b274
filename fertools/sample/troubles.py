"""Troubles: what lies in real archives beside the photos, planted on request and counted.

Each kind is a function from a scene to a file name and bytes; a new one is a function and a
line in KINDS. No label record tells of a planted file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from math import sqrt
from unicodedata import normalize

import cv2
import numpy as np

from fertools.sample.canvas import Canvas, Pose
from fertools.sample.people import EXPRESSIONS, Person, dice
from fertools.sample.photo import Setting, encoded, finished, paint, photograph, upright
from fertools.sample.schedule import Shot
from fertools.sample.setting import PLACES, backdrop

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00" + b"Mac OS X        " + bytes(58)
OLE_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
WEB_PAGE = "<!DOCTYPE html>\n<title>로그인</title>\n<p>세션이 만료되었습니다.\n".encode()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a trouble is made from: a shot of the archive, and the same person an hour later."""

    seed: int
    pixels: float
    number: int  # of this kind, from 0
    shot: Shot
    later: Shot

    def photo(self, shot: Shot) -> bytes:
        """Give the file of a shot."""
        return photograph(self.seed, shot, self.pixels)


File = tuple[str, bytes]


def no_face(scene: Scene) -> File:
    """A street without anybody, under a proper name."""
    long, short = round(sqrt(scene.pixels * 4 / 3)), round(sqrt(scene.pixels * 3 / 4))
    roll = dice(scene.seed, "street", scene.later.name)
    # Towers: 0.13 is the surest the detector was of a face in 40; among trees it was 0.64 once.
    return scene.later.name, encoded(backdrop(PLACES[7], roll, long, short), None)


def two_faces(scene: Scene) -> File:
    """Two people side by side, the second somebody who is nowhere else in the archive."""
    session = scene.later.session
    setting = replace(Setting.drawn(scene.seed, session, 4e5), width=730, height=548)
    roll = dice(scene.seed, "pair", scene.later.name)
    image = backdrop(session.place, roll, setting.width, setting.height)
    guest = Person.drawn(scene.seed, session.key)
    for who, x in ((session.person, 0.29), (guest, 0.71)):
        pose = Pose(x * setting.width, 240, 96, roll.normal(0, 0.05))
        paint(Canvas(image, pose), who, EXPRESSIONS[session.emotion], setting.dress)
    return scene.later.name, encoded(finished(scene.seed, scene.later, image, setting), 1)


def cut_short(scene: Scene) -> File:
    """A JPEG whose download broke off."""
    whole = scene.photo(scene.later)
    return scene.later.name, whole[: len(whole) * 3 // 5]


def empty(scene: Scene) -> File:
    """A name without bytes."""
    return scene.later.name, b""


def nameless(scene: Scene) -> File:
    """A good photo under the name that a camera gave it."""
    return f"IMG_{scene.number + 1:04}.jpg", scene.photo(scene.later)


def apple_double(scene: Scene) -> File:
    """The twin that macOS leaves beside a file."""
    return f"._{scene.shot.name}", APPLE_DOUBLE


def thumbs_db(scene: Scene) -> File:
    """What Windows leaves in a folder of pictures."""
    return f"Thumbs{f' ({scene.number})' if scene.number else ''}.db", OLE_FILE


def png(scene: Scene) -> File:
    """A good photo in another format."""
    image = upright(scene.seed, scene.later, min(scene.pixels, 1e6))
    _, data = cv2.imencode(".png", image)
    return replace(scene.later, ending="png").name, np.asarray(data, np.uint8).tobytes()


def web_page(scene: Scene) -> File:
    """A log-in page that was saved instead of the photo."""
    return scene.later.name, WEB_PAGE


def copy(scene: Scene) -> File:
    """A photo once more, byte for byte, as cloud drives name it."""
    stem, ending = scene.shot.name.rsplit(".", 1)
    return f"{stem} ({scene.number + 1}).{ending}", scene.photo(scene.shot)


def underscored(scene: Scene) -> File:
    """A good photo in whose name an unzip tool replaced `&` by `_`."""
    crowded = replace(scene.later, session=replace(scene.later.session, place=PLACES[0]))
    return crowded.name.replace("&", "_"), scene.photo(crowded)


def decomposed(scene: Scene) -> File:
    """A good photo whose name went through macOS: Hangul in pieces (NFD)."""
    return normalize("NFD", scene.later.name), scene.photo(scene.later)


def _turned(tag: int) -> Callable[[Scene], File]:
    def turned(scene: Scene) -> File:
        """A good photo, held in a way that few or none of the archive's are."""
        shot = replace(scene.later, session=replace(scene.later.session, orientation=tag))
        return shot.name, scene.photo(shot)

    return turned


KINDS: dict[str, Callable[[Scene], File]] = {
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
LOOSE_ONLY = frozenset({"decomposed"})  # CP949 has no syllables in pieces


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file to plant: its kind, and the shot whose container it goes to."""

    kind: str
    shot: Shot
    scene: Scene

    def file(self) -> File:
        """Give its name and its bytes."""
        return KINDS[self.kind](self.scene)


def plant(
    seed: int, shots: tuple[Shot, ...], pixels: float, each: int, loose: bool
) -> list[Trouble]:
    """Choose where `each` of every kind goes: beside one of `shots`, drawn by the seed.

    `loose` says that it goes to a folder, where the kinds that no zip of the archive can hold
    are possible too.
    """
    kinds = [kind for kind in KINDS if loose or kind not in LOOSE_ONLY]
    planted = []
    for k, kind in enumerate(kinds):
        for i in range(each):
            shot = shots[int(dice(seed, "trouble", kind, i).integers(len(shots)))]
            start = shot.session.start + timedelta(hours=1 + k, minutes=i)
            # A session of its own, so that the person stands elsewhere and wears something else.
            later = replace(shot.session, key=f"{kind} {i}", start=start, orientation=1)
            scene = Scene(seed, pixels, i, shot, replace(shot, session=later, ending="jpg"))
            planted.append(Trouble(kind, shot, scene))
    return planted

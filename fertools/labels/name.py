"""What a file name says: the archive's grammar, the talk's short form, and names that suffered.

    1076…d656_여_30_기쁨_공공시설&종교&의료시설_20210202151813-001-009.jpeg
    subject   │  │  emotion      place          stamp          │   shot
             sex age                                        place code

    someone_남_20_행복_20210202.jpg          the talk's: title, sex, age, emotion, date

The subject is taken from the left and the stamp from the right, so that an `_` where an `&` was
costs nothing: the place code says what the place's name was.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from fertools.data import Label
from fertools.labels.words import EMOTIONS, PLACES, archive_word

# A cloud drive's second copy ends in " (1)": the same photo, so the same label.
_COPY = r"(?:\s?\(\d{1,3}\))?"

_WHO = r"(?P<subject>.+?)_(?P<sex>[남여])_(?P<age>\d{1,3})_(?P<emotion>[^_]+)"

_FULL: Final = re.compile(
    _WHO + r"_(?P<place>.+)_(?P<stamp>\d{14})-(?P<code>\d{3})-(?P<shot>\d{1,6})" + _COPY, re.ASCII
)
_SHORT: Final = re.compile(_WHO + r"_(?P<stamp>\d{6,14})(?:-(?P<shot>\d{1,6}))?" + _COPY, re.ASCII)

_COPY_AT_END: Final = re.compile(_COPY + r"\Z", re.ASCII)


def parse_name(name: str) -> Label | None:
    """Read the label out of a photo's name, or give None where it follows neither form.

    `name` may carry folders before it, may be NFC or NFD, and may have any ending. An emotion in
    the talk's words comes back in the archive's; a word that neither uses comes back as it is.

    >>> label = parse_name("kim_남_20_행복_20210202.jpg")
    >>> label.emotion, label.subject, label.sex, label.age
    ('기쁨', 'kim', '남', 20)
    """
    stem = base_name(name).rpartition(".")[0]
    found = _FULL.fullmatch(stem) or _SHORT.fullmatch(stem)
    if found is None:
        return None
    fields = found.groupdict()
    shot = fields["shot"]
    return Label(
        emotion=archive_word(fields["emotion"]),
        subject=fields["subject"],
        sex=fields["sex"],
        age=int(fields["age"]),
        place=PLACES.get(fields.get("code") or "", fields.get("place")),
        stamp=fields["stamp"],
        shot=None if shot is None else int(shot),
    )


def base_name(name: str) -> str:
    """Give a name in NFC without the folders before it."""
    name = name.rpartition("/")[2]
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def forgiven(base: str) -> str:
    """Give what is left of a base name when all that tools do to names is forgiven.

    >>> forgiven("교통&이동수단-1 (2).JPG"), forgiven("교통_이동수단-1.jpg")
    ('교통_이동수단-1.jpg', '교통_이동수단-1.jpg')

    An `&` counts as `_`, the ending's case and a cloud drive's copy number count for nothing.
    """
    stem, dot, ending = base.rpartition(".")
    if stem.endswith(")"):
        stem = _COPY_AT_END.sub("", stem)
    return f"{stem}{dot}{ending.lower()}".replace("&", "_")


def folder_of(key: str) -> str:
    """Return the folders and zips that a photo lies in, "" for SRC itself.

    >>> folder_of("archive.zip/sad/1.jpg")
    'archive.zip/sad'
    """
    return key.rpartition("/")[0]


def folder_emotion(folder: str) -> str | None:
    """Return the archive's word for the innermost folder or zip that is named by an emotion alone.

    >>> folder_emotion("01.데이터/1.Training/원천데이터/당황/anna")
    '당황'

    A folder such as `[원천]EMOIMG_기쁨_TRAIN_01` does not count: there every photo bears a name,
    and one that does not is a stranger.
    """
    for step in reversed(folder.split("/")):
        emotion = archive_word(step.removesuffix(".zip").strip())
        if emotion in EMOTIONS:
            return emotion
    return None

"""Parse file names and folder names by the archive's words and its grammar of names.

    1076…d656_여_30_기쁨_공공시설&종교&의료시설_20210202151813-001-009.jpeg
    subject   │  │  emotion      place          stamp          │   shot
             sex age                                        place code

    someone_남_20_행복_20210202.jpg          the talk's (README): title, sex, age, emotion, date

The fields from subject to emotion are matched from the left and the time stamp from the right; the
rest is the place. So a place may contain `_`; its code restores an `&` that became `_`.

Source of the words: AI-Hub, "한국인 감정인식을 위한 복합 영상", its file names and its own
documentation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from fertools.data import Label

#: The seven emotions with their English, in alphabetical order: the order of the class indices.
EMOTIONS: Final[Mapping[str, str]] = {
    "기쁨": "joy",
    "당황": "embarrassment",
    "분노": "anger",
    "불안": "anxiety",
    "상처": "hurt",
    "슬픔": "sadness",
    "중립": "neutral",
}

#: The two words of the talk that differ from the archive's, each with the archive's word.
TALK_WORDS: Final[Mapping[str, str]] = {"짜증": "분노", "행복": "기쁨"}

#: The English of every word that may name a class.
ENGLISH: Final[Mapping[str, str]] = {**EMOTIONS, "짜증": "annoyance", "행복": "happiness"}

#: The vote of an annotator who cannot tell the emotion.
UNKNOWN: Final = "알수없음"

#: The words of uploader and annotators; ledgers and packed records hold their indices.
VOTE_WORDS: Final = (*EMOTIONS, UNKNOWN)

#: The places by code. The code restores the name of a place if an unzip tool replaced its `&`.
PLACES: Final[Mapping[str, str]] = {
    "001": "공공시설&종교&의료시설",
    "002": "교통&이동수단(엘리베이터 포함)",
    "003": "상업시설&점포&시장",
    "004": "스포츠 관람 및 레저시설",
    "005": "오락&공연시설",
    "006": "행사&사무공간",
    "007": "실외 자연환경",
    "008": "도심 환경",
    "009": "문화재 및 유적지",
    "010": "숙박 및 거주공간",
}

_BY_ENGLISH: Final = {english: korean for korean, english in ENGLISH.items()}

# Cloud drives add " (1)" to the name of a second copy: same photo, same label.
_COPY = r"(?:\s?\(\d{1,3}\))?"
_COPY_AT_END: Final = re.compile(_COPY + r"\Z", re.ASCII)

# The sexes: 남 male, 여 female.
_PERSON = r"(?P<subject>.+?)_(?P<sex>[남여])_(?P<age>\d{1,3})_(?P<emotion>[^_]+)"
_FULL_NAME: Final = re.compile(
    _PERSON + r"_(?P<place>.+)_(?P<stamp>\d{14})-(?P<code>\d{3})-(?P<shot>\d{1,6})" + _COPY,
    re.ASCII,
)
_SHORT_NAME: Final = re.compile(
    _PERSON + r"_(?P<stamp>\d{6,14})(?:-(?P<shot>\d{1,6}))?" + _COPY, re.ASCII
)

_OFFICIAL_SPLITS: Final = (
    # EMOIMG_기쁨_VALID, 2.Validation; before training, whose names never contain "valid"
    ("validation", re.compile(r"(?<![a-z])valid(ation)?(?![a-z])", re.IGNORECASE)),
    ("training", re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)),
)


def parse_name(name: str) -> Label | None:
    """Return the label in a photo's name; None if the name has neither of the two forms above.

    `name` may include folders, may be NFC or NFD, and may have any ending. The talk's word for an
    emotion becomes the archive's word; an unknown word is not changed.

    >>> label = parse_name("kim_남_20_행복_20210202.jpg")
    >>> label.emotion, label.subject, label.sex, label.age
    ('기쁨', 'kim', '남', 20)
    """
    stem = base_name(name).rpartition(".")[0]
    match = _FULL_NAME.fullmatch(stem) or _SHORT_NAME.fullmatch(stem)
    if match is None:
        return None
    fields = match.groupdict()
    return Label(
        emotion=archive_word(fields["emotion"]),
        subject=fields["subject"],
        sex=fields["sex"],
        age=int(fields["age"]),
        place=PLACES.get(fields.get("code") or "", fields.get("place")),
        stamp=fields["stamp"],
        shot=None if fields["shot"] is None else int(fields["shot"]),
    )


def korean_word(word: str) -> str:
    """Translate an English emotion to Korean; any other word is returned unchanged."""
    return _BY_ENGLISH.get(word.lower(), word)


def archive_word(word: str) -> str:
    """Translate the talk's or the English word for an emotion to the archive's word.

    Other words are returned unchanged.

    >>> [archive_word(word) for word in ("행복", "anger", "놀람")]
    ['기쁨', '분노', '놀람']
    """
    word = korean_word(word)
    return TALK_WORDS.get(word, word)


def base_name(name: str) -> str:
    """Return the last step of a path, in NFC."""
    name = name.rpartition("/")[2]
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def lookup_name(base: str) -> str:
    """Normalise a base name: undo the changes that tools make to names.

    >>> lookup_name("교통&이동수단-1 (2).JPG"), lookup_name("교통_이동수단-1.jpg")
    ('교통_이동수단-1.jpg', '교통_이동수단-1.jpg')

    An `&` becomes `_`, the ending lower case, and a cloud drive's copy number is removed.
    """
    stem, dot, ending = base.rpartition(".")
    if stem.endswith(")"):
        stem = _COPY_AT_END.sub("", stem)
    return f"{stem}{dot}{ending.lower()}".replace("&", "_")


def folder_of(key: str) -> str:
    """Return the part of a key before the photo's name: folders and zips, "" for SRC itself."""
    return key.rpartition("/")[0]


def folder_emotion(folder: str) -> str | None:
    """Return the archive's word for the innermost folder or zip that is named by an emotion.

    >>> folder_emotion("01.데이터/1.Training/원천데이터/당황/anna")
    '당황'

    Returns None without such a folder. The whole name must be the emotion: in a folder such as
    `[원천]EMOIMG_기쁨_TRAIN_01` every photo of the archive has a label in its own name.
    """
    for step in reversed(folder.split("/")):
        emotion = archive_word(step.removesuffix(".zip").strip())
        if emotion in EMOTIONS:
            return emotion
    return None


def official_split(key: str) -> str | None:
    """Return AI-Hub's own split of a photo, "training" or "validation", from its folders and zips.

    The innermost folder that names a split decides. Returns None without such a folder.

    >>> official_split("2.Validation/[원천]EMOIMG_기쁨_VALID.zip/1.jpg")
    'validation'
    """
    for folder in reversed(key.split("/")[:-1]):
        for split, word in _OFFICIAL_SPLITS:
            if word.search(folder):
                return split
    return None

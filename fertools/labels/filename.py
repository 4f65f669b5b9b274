"""Parse file names and folder names: the archive's words and the grammar of its names.

    1076…d656_여_30_기쁨_공공시설&종교&의료시설_20210202151813-001-009.jpeg
    subject   │  │  emotion      place          stamp          │   shot
             sex age                                        place code

    someone_남_20_행복_20210202.jpg          the talk's: title, sex, age, emotion, date

The subject is matched from the left and the stamp from the right, so that an `_` in place of an
`&` does no harm: the place code says what the place's name was.

Source of the words: AI-Hub, "한국인 감정인식을 위한 복합 영상", its file names and its own
documentation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from fertools.data import Label

#: The seven emotions with English, in the archive's alphabetical order: that of the class indices.
EMOTIONS: Final[Mapping[str, str]] = {
    "기쁨": "joy",
    "당황": "embarrassment",
    "분노": "anger",
    "불안": "anxiety",
    "상처": "hurt",
    "슬픔": "sadness",
    "중립": "neutral",
}

#: The talk's two words for classes that the archive names otherwise, and the archive's words.
TALK_WORDS: Final[Mapping[str, str]] = {"짜증": "분노", "행복": "기쁨"}

#: English for every word that may name a class.
ENGLISH: Final[Mapping[str, str]] = {**EMOTIONS, "짜증": "annoyance", "행복": "happiness"}

#: The vote of an annotator who cannot tell the emotion.
UNKNOWN: Final = "알수없음"

#: The places by their code, one to one; the code repairs a name whose `&` an unzip tool replaced.
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

# A cloud drive's second copy ends in " (1)": the same photo, so the same label.
_COPY_NUMBER = r"(?:\s?\(\d{1,3}\))?"
_COPY_NUMBER_AT_END: Final = re.compile(_COPY_NUMBER + r"\Z", re.ASCII)

# The sexes: 남 male, 여 female.
_PERSON_FIELDS = r"(?P<subject>.+?)_(?P<sex>[남여])_(?P<age>\d{1,3})_(?P<emotion>[^_]+)"
_FULL_NAME: Final = re.compile(
    _PERSON_FIELDS
    + r"_(?P<place>.+)_(?P<stamp>\d{14})-(?P<code>\d{3})-(?P<shot>\d{1,6})"
    + _COPY_NUMBER,
    re.ASCII,
)
_SHORT_NAME: Final = re.compile(
    _PERSON_FIELDS + r"_(?P<stamp>\d{6,14})(?:-(?P<shot>\d{1,6}))?" + _COPY_NUMBER, re.ASCII
)

_OFFICIAL_SPLITS: Final = (
    # EMOIMG_기쁨_VALID, 2.Validation; before training, whose names never contain "valid"
    ("validation", re.compile(r"(?<![a-z])valid(ation)?(?![a-z])", re.IGNORECASE)),
    ("training", re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)),
)


def parse_name(name: str) -> Label | None:
    """Return the label in a photo's name, None if the name follows neither form.

    `name` may have folders before it, may be NFC or NFD, and may have any ending. An emotion in
    the talk's words becomes the archive's word; an unknown word stays as it is.

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
    """Return the Korean word for an emotion in either language; an unknown word as it is."""
    return _BY_ENGLISH.get(word.lower(), word)


def archive_word(word: str) -> str:
    """Return the archive's word for an emotion in the archive's or the talk's word or in English.

    >>> [archive_word(word) for word in ("행복", "anger", "놀람")]
    ['기쁨', '분노', '놀람']
    """
    word = korean_word(word)
    return TALK_WORDS.get(word, word)


def base_name(name: str) -> str:
    """Return a name in NFC without the folders before it."""
    name = name.rpartition("/")[2]
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def lookup_name(base: str) -> str:
    """Return the spelling of a base name without the changes that tools make to names.

    >>> lookup_name("교통&이동수단-1 (2).JPG"), lookup_name("교통_이동수단-1.jpg")
    ('교통_이동수단-1.jpg', '교통_이동수단-1.jpg')

    An `&` becomes `_`, the ending lower case, and a cloud drive's copy number is removed.
    """
    stem, dot, ending = base.rpartition(".")
    if stem.endswith(")"):
        stem = _COPY_NUMBER_AT_END.sub("", stem)
    return f"{stem}{dot}{ending.lower()}".replace("&", "_")


def folder_of(key: str) -> str:
    """Return the folders and zips that a photo lies in, "" for SRC itself."""
    return key.rpartition("/")[0]


def folder_emotion(folder: str) -> str | None:
    """Return the archive's word of the innermost folder or zip whose whole name is an emotion.

    >>> folder_emotion("01.데이터/1.Training/원천데이터/당황/anna")
    '당황'

    A folder such as `[원천]EMOIMG_기쁨_TRAIN_01` does not count: there every photo's name has a
    label, and a photo without one does not belong to the archive.
    """
    for step in reversed(folder.split("/")):
        emotion = archive_word(step.removesuffix(".zip").strip())
        if emotion in EMOTIONS:
            return emotion
    return None


def official_split(key: str) -> str | None:
    """Return "training" or "validation", AI-Hub's own split, from a photo's folders and zips.

    The innermost folder that names one of them counts; None if none does.

    >>> official_split("2.Validation/[원천]EMOIMG_기쁨_VALID.zip/1.jpg")
    'validation'
    """
    for folder in reversed(key.split("/")[:-1]):
        for split, word in _OFFICIAL_SPLITS:
            if word.search(folder):
                return split
    return None

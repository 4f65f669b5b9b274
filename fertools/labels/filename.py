"""The words of the archive: emotions, sexes, places, in Korean with English beside.

Source: AI-Hub, "한국인 감정인식을 위한 복합 영상", its file names and its own documentation.
"""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import Final

from fertools.data import Label

#: The seven emotions in the archive's (alphabetical) order; a class index counts along it.
EMOTIONS: Final = MappingProxyType(
    {
        "기쁨": "joy",
        "당황": "embarrassment",
        "분노": "anger",
        "불안": "anxiety",
        "상처": "hurt",
        "슬픔": "sadness",
        "중립": "neutral",
    }
)

#: The talk's two words for classes that the archive names otherwise, and the archive's words.
TALK_WORDS: Final = MappingProxyType({"짜증": "분노", "행복": "기쁨"})

#: English for every word that may name a class.
ENGLISH: Final = MappingProxyType({**EMOTIONS, "짜증": "annoyance", "행복": "happiness"})

#: What an annotator says who cannot tell.
UNKNOWN: Final = "알수없음"

#: 남 male, 여 female.
SEXES: Final = ("남", "여")

#: The places by their code, one to one; the code repairs a name whose `&` an unzip tool replaced.
PLACES: Final = MappingProxyType(
    {
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
)

_BY_ENGLISH: Final = {english: korean for korean, english in ENGLISH.items()}


def korean(word: str) -> str:
    """Give the Korean word for an emotion written in either language, or the word itself."""
    return _BY_ENGLISH.get(word.lower(), word)


def archive_word(word: str) -> str:
    """Give the archive's own word for an emotion, whoever's word and language it came in.

    >>> [archive_word(word) for word in ("행복", "anger", "놀람")]
    ['기쁨', '분노', '놀람']
    """
    word = korean(word)
    return TALK_WORDS.get(word, word)


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


_HALVES: Final = (
    # EMOIMG_기쁨_VALID, 2.Validation; before training, for which no name has "valid" in it
    ("validation", re.compile(r"(?<![a-z])valid(ation)?(?![a-z])", re.IGNORECASE)),
    ("training", re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)),
)


def official_split(key: str) -> str | None:
    """Give "training" or "validation" from the folders and zips that a photo lies in, or None.

    The innermost that says one of them counts.

    >>> official_half("2.Validation/[원천]EMOIMG_기쁨_VALID.zip/1.jpg")
    'validation'
    """
    for folder in reversed(key.split("/")[:-1]):
        for half, word in _HALVES:
            if word.search(folder):
                return half
    return None

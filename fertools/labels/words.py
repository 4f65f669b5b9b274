"""The words of the archive: emotions, sexes, places, in Korean with English beside.

Source: AI-Hub, "한국인 감정인식을 위한 복합 영상", its file names and its own documentation.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

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

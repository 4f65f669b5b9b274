"""Explain the most frequent messages in Korean: broken names, joined zips, a full disk.

Messages stay English, so that they can be searched for; with LANG=ko… a Korean line follows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

#: Texts of messages and warnings, each with what to do, in Korean.
HINTS: Final[Mapping[str, str]] = {
    "names look broken": "이름이 깨져 있습니다. 압축을 푼 폴더 대신 내려받은 zip을 그대로 주세요. "
    "zip 안의 이름은 CP949와 UTF-8로 직접 읽습니다.",
    "joined in the order of their names as text": "zip 조각이 이름 순서로 잘못 합쳐졌지만 올바른 "
    "순서로 읽습니다. 다시 합치거나 내려받지 않아도 됩니다.",
    " is missing": "zip 조각이 빠져 있습니다. 빠진 조각만 다시 내려받아 같은 폴더에 두세요. 조각을 "
    "합칠 필요는 없습니다.",
    "to have all, download it again": "손상된 zip입니다. 읽을 수 있는 사진만 쓰며, 전부 쓰려면 그 "
    "파일을 다시 내려받으세요.",
    "behind a password": "암호가 걸린 zip입니다. 암호로 압축을 풀고 그 폴더를 주세요.",
    "the disk is full": "디스크에 남은 공간이 없습니다. 공간을 비우고 같은 명령을 다시 실행하면 "
    "이어서 합니다.",
    "holds no photo that can be used": "쓸 수 있는 사진이 없습니다. 내려받은 zip이나 사진이 들어 "
    "있는 폴더를 주세요.",
    "says a class": "이름이나 폴더에서 감정을 찾지 못했습니다. AI-Hub의 파일 이름을 그대로 두거나 "
    "감정마다 폴더를 만드세요. 다른 데이터셋이면 fertools presets를 보세요.",
}


def korean_hints(text: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the Korean lines for a message or report; none unless the user's language is Korean.

    >>> korean_hints("faces: the disk is full", {"LANG": "en_US.UTF-8"})
    []
    """
    chosen = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    language = next(filter(None, chosen), "")
    if not language.startswith("ko"):
        return []
    return [hint for part, hint in HINTS.items() if part in text]

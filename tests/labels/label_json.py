"""Label entries as the archive has them, to be spoiled by the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

NAME = "1076beea_여_30_불안_공공시설&종교&의료시설_20210202151813-001-009.jpg"
BOX = (300.5, 280.25, 1040.0, 1200.0)
EDGES = ("minX", "minY", "maxX", "maxY")


def entry(
    name: str = NAME,
    votes: Sequence[Any] = ("불안", "슬픔", "알수없음"),
    boxes: Sequence[Sequence[Any]] = (BOX, BOX, BOX),
    uploader: str | None = "불안",
) -> dict[str, Any]:
    """Return an entry in the keys that the archive's files have."""
    blocks = {
        f"annot_{who}": {"boxes": dict(zip(EDGES, box, strict=True)), "faceExp": vote, "bg": "곳"}
        for who, vote, box in zip("ABC", votes, boxes, strict=True)
    }
    return {"filename": name, "gender": "여", "age": 30, "faceExp_uploader": uploader, **blocks}


def described(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the same entry in the keys that AI-Hub's own description has."""
    other = {key: value for key, value in plain.items() if not key.startswith("annot_")}
    for who in "ABC":
        block = plain[f"annot_{who}"]
        other[f"faceBB_{who}"] = {"boxes": {**block["boxes"], "label": block["faceExp"]}}
    return other


def label_file(*entries: Any, encoding: str = "utf-8") -> bytes:
    return json.dumps(entries, ensure_ascii=False, indent=1).encode(encoding)

"""Votes: what three annotators said about a photo, as a record of the archive's label JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from fertools.data import Box
from fertools.sample.dice import dice
from fertools.sample.session import Shot

# How often one annotator agrees with the name. The archive's figures are those of the majority
# of three, m = 3p² - 2p³: 기쁨 0.975, 중립 0.946, 당황 0.775, 불안 0.378; the other three are not
# published and stand between.
AGREES = {
    "기쁨": 0.906,
    "당황": 0.693,
    "분노": 0.78,
    "불안": 0.418,
    "상처": 0.52,
    "슬픔": 0.72,
    "중립": 0.860,
}
TAKEN_FOR = {
    "기쁨": ("중립", "당황"),
    "당황": ("불안", "중립", "슬픔"),
    "분노": ("상처", "불안", "중립"),
    "불안": ("당황", "슬픔", "상처", "중립"),
    "상처": ("슬픔", "중립", "분노"),
    "슬픔": ("상처", "불안", "중립"),
    "중립": ("슬픔", "상처"),
}
UNKNOWN = "알수없음"  # about one disagreement in eight


def record(seed: int, shot: Shot, face: Box) -> dict[str, Any]:
    """Give a photo's label record; `face` is the true box in the upright photo, in pixels."""
    roll = dice(seed, "votes", shot.name)
    session, person = shot.session, shot.session.person
    body: dict[str, Any] = {
        "filename": shot.name,
        "gender": person.sex,
        "age": person.age,
        "isProf": "일반인",
        "faceExp_uploader": session.emotion,
        "bg_uploader": session.place.name,
    }
    for annotator in "ABC":
        body[f"annot_{annotator}"] = {
            "boxes": _box(roll, face),
            "faceExp": _vote(roll, session.emotion),
            "bg": session.place.name,
        }
    return body


def label_file(records: list[dict[str, Any]], encoding: str) -> bytes:
    """Give a label JSON: UTF-8 with BOM ("utf-8-sig") or "cp949", as the archive has both."""
    return json.dumps(records, ensure_ascii=False, indent=1).encode(encoding)


def _vote(roll: np.random.Generator, emotion: str) -> str:
    if roll.random() < AGREES[emotion]:
        return emotion
    return UNKNOWN if roll.random() < 0.125 else str(roll.choice(TAKEN_FOR[emotion]))


def _box(roll: np.random.Generator, face: Box) -> dict[str, float]:
    """Nobody draws a box twice alike: each edge is off by about 2 % of the face."""
    dx, dy = roll.normal(0, 0.02 * face.width, 2), roll.normal(0, 0.02 * face.height, 2)
    edges = {"minX": face.x0 + dx[0], "minY": face.y0 + dy[0]}
    edges |= {"maxX": face.x1 + dx[1], "maxY": face.y1 + dy[1]}
    return {edge: round(max(0.0, float(at)), 3) for edge, at in edges.items()}

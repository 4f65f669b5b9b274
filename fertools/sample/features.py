"""Features: eyes, brows, nose and mouth, where a face's geometry and an expression put them."""

from __future__ import annotations

import numpy as np

from fertools.sample.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Points,
    ellipse,
    lowered,
    mix,
    ribbon,
    spline,
)
from fertools.sample.people import Expression, Person

EYE_LINE = 0.03  # below the middle of the head
MOUTH_LINE = 0.62

IRIS: Colour = (30.0, 44.0, 66.0)
PUPIL: Colour = (8.0, 8.0, 10.0)
SCLERA: Colour = (232.0, 236.0, 240.0)
THROAT: Colour = (38.0, 28.0, 88.0)
ENAMEL: Colour = (232.0, 240.0, 244.0)
RED: Colour = (96.0, 92.0, 226.0)
SHADE: Colour = (56.0, 66.0, 116.0)  # what folds and hollows of the skin turn to


def paint_features(canvas: Canvas, who: Person, mood: Expression) -> None:
    """Paint all that an expression moves, from the cheeks up to the glasses."""
    _cheeks(canvas, who, mood)
    _folds(canvas, who, mood)
    _nose(canvas, who)
    _mouth(canvas, who, mood)
    for side in (-1, 1):
        _eye(canvas, who, mood, side)
        _brow(canvas, who, mood, side)
    if mood.tears > 0.2:
        _tears(canvas, who, mood)
    if who.glasses:
        _glasses(canvas, who)


def _cheeks(canvas: Canvas, who: Person, mood: Expression) -> None:
    for side in (-1, 1):
        x = side * who.face.width * 0.6
        canvas.glow((x, 0.33), (0.26, 0.19), RED, 0.10 + 0.32 * max(mood.blush, 0.0))
        canvas.glow((x * 0.92, 0.24 - mood.smile * 0.4), (0.16, 0.10), WHITE, 0.10)


def _folds(canvas: Canvas, who: Person, mood: Expression) -> None:
    shade = mix(who.skin, SHADE, 0.45)
    depth = max(0.0, mood.smile) * 4 + max(0, who.age - 30) / 60 + max(0.0, mood.teeth) * 0.2
    nose, reach = who.face.nose_width, who.face.mouth_width * mood.mouth_width
    for side in (-1, 1):
        fold = spline(
            [
                (side * (nose + 0.03), who.face.nose_tip - 0.02),
                (side * (reach + 0.07), MOUTH_LINE - 0.12),
                (side * (reach + 0.08), MOUTH_LINE + 0.02 - mood.smile),
            ]
        )
        if depth > 0.25:
            canvas.stroke(fold, mix(who.skin, shade, min(depth, 1.0)), 0.012)
    if mood.brow_squeeze > 0.04 and mood.brow_inner < 0.08:
        for side in (-1, 1):
            frown = spline([(side * 0.045, -0.22), (side * 0.035, -0.14), (side * 0.05, -0.07)])
            canvas.stroke(frown, shade, 0.014)


def _nose(canvas: Canvas, who: Person) -> None:
    half, tip = who.face.nose_width, who.face.nose_tip
    shade = mix(who.skin, SHADE, 0.5)
    away = -1 if who.light > 0 else 1
    canvas.glow((away * 0.075, 0.12), (0.06, 0.26), mix(who.skin, BLACK, 0.4), 0.35)
    canvas.glow((-away * 0.02, 0.12), (0.045, 0.24), WHITE, 0.22)
    canvas.glow((0, tip - 0.03), (half * 0.8, 0.07), WHITE, 0.16)
    canvas.glow((0, tip + 0.06), (half * 1.1, 0.05), mix(who.skin, BLACK, 0.5), 0.4)
    for side in (-1, 1):
        wing = [(0.62, -0.085), (1.0, -0.03), (0.98, 0.025), (0.66, 0.035)]
        canvas.stroke(spline([(side * half * x, tip + y) for x, y in wing]), shade, 0.016)
        canvas.fill(ellipse(side * half * 0.45, tip + 0.035, 0.03, 0.014), mix(shade, BLACK, 0.5))


def _eye(canvas: Canvas, who: Person, mood: Expression, side: int) -> None:
    upper, lower = _lids(who, mood, side)
    x, half = side * who.face.eye_gap, who.face.eye_width
    canvas.glow((x, EYE_LINE - 0.06), (half * 1.2, 0.10), mix(who.skin, SHADE, 0.5), 0.4)
    almond = np.concatenate([upper, lower[::-1]])
    with canvas.within(almond) as inside:
        inside.fill(almond, SCLERA)
        _iris(inside, who, mood, x)
        inside.glow((x, upper[:, 1].min()), (half, 0.05), BLACK, 0.4)
    dark = mix(who.hair.colour, BLACK, 0.6) if who.age < 50 else (40.0, 40.0, 50.0)
    lash = np.sin(np.linspace(0, np.pi, len(upper)))
    canvas.fill(ribbon(upper, 0.010 + 0.010 * lash), dark)
    canvas.stroke(lower, mix(who.skin, dark, 0.45), 0.008)
    fold = lowered(upper, -0.035 - 0.02 * mood.eye_open)
    canvas.stroke(fold[3:-2], mix(who.skin, SHADE, 0.5), 0.010)
    if mood.squint > 0.5:
        canvas.stroke(lowered(lower[3:-3], 0.05), mix(who.skin, SHADE, 0.4), 0.012)


def _iris(canvas: Canvas, who: Person, mood: Expression, x: float) -> None:
    r = who.face.eye_height * 0.98
    x += mood.gaze_x * who.face.eye_width * 0.38
    y = EYE_LINE + 0.004 + mood.gaze_y * who.face.eye_height * 0.5
    for share, colour in ((1.0, mix(IRIS, BLACK, 0.5)), (0.84, IRIS), (0.42, PUPIL)):
        canvas.fill(ellipse(x, y, r * share, r * share), colour)
    gleam = 0.25 * r if who.light > 0 else -0.25 * r
    canvas.fill(ellipse(x + gleam, y - r * 0.35, r * 0.2, r * 0.2), WHITE)


def _lids(who: Person, mood: Expression, side: int) -> tuple[Points, Points]:
    """Give the upper and the lower lid, both from the inner corner to the outer one."""
    face = who.face
    u = np.linspace(-1, 1, 17)
    x = side * (face.eye_gap + face.eye_width * u)
    corner = EYE_LINE - face.eye_slant * u
    arch = (1 - u**2) ** 0.75
    opening = face.eye_height * max(mood.eye_open, 0.12)
    # An eye closes from above; what is shut hangs at the height of the lower lid.
    top = corner + arch * (face.eye_height * 0.55 - opening * 1.2)
    bottom = corner + arch * face.eye_height * (0.55 - 0.75 * max(mood.squint, 0.0))
    bottom = np.maximum(bottom, top + 0.006)
    return np.stack([x, top], axis=1), np.stack([x, bottom], axis=1)


def _brow(canvas: Canvas, who: Person, mood: Expression, side: int) -> None:
    face = who.face
    level = EYE_LINE - face.brow_height
    inner = level - mood.brow_inner - side * mood.brow_skew
    outer = level + 0.02 - mood.brow_outer - side * mood.brow_skew
    start = face.eye_gap - face.eye_width * 1.15 - mood.brow_squeeze
    end = face.eye_gap + face.eye_width * 1.25
    middle = spline(
        [
            (side * start, inner),
            (side * (start + (end - start) * 0.35), inner * 0.62 + outer * 0.38 - 0.022),
            (side * (start + (end - start) * 0.7), inner * 0.25 + outer * 0.75 - 0.03),
            (side * end, outer + 0.01),
        ]
    )
    t = np.linspace(0, 1, len(middle))
    half = face.brow_weight * (0.75 + 0.6 * t) * (1 - t**3 * 0.9)
    canvas.fill(ribbon(middle, half), mix(who.hair.colour, who.skin, 0.18))


def _mouth(canvas: Canvas, who: Person, mood: Expression) -> None:
    upper, lower = _lip_lines(who, mood)
    u = np.linspace(-1, 1, len(upper))
    full = who.face.lips * (1 - 0.62 * max(mood.press, 0.0))
    bow = np.sqrt(np.maximum(1 - u**2, 0)) * (0.86 - 0.18 * np.exp(-((u / 0.16) ** 2)))
    rise = np.stack([0 * u, full * 0.85 * bow], axis=1)
    drop = np.stack([0 * u, full * 1.1 * np.maximum(1 - np.abs(u) ** 2.2, 0)], axis=1)
    shadow = MOUTH_LINE + full * 1.1 + mood.mouth_open * 0.6 + 0.06
    canvas.glow((0, shadow), (0.16, 0.045), mix(who.skin, BLACK, 0.4), 0.4)
    canvas.fill(np.concatenate([upper - rise, upper[::-1]]), mix(who.mouth, BLACK, 0.14))
    canvas.fill(np.concatenate([lower, (lower + drop)[::-1]]), who.mouth)
    canvas.glow((0, lower[:, 1].mean() + full * 0.6), (0.09, full * 0.4), WHITE, 0.25)
    gap = np.concatenate([upper, lower[::-1]])
    if mood.mouth_open > 0.012:
        with canvas.within(gap) as inside:
            _inside(inside, gap, upper, mood)
    canvas.stroke(upper, mix(who.mouth, (20.0, 16.0, 40.0), 0.75), 0.014)


def _lip_lines(who: Person, mood: Expression) -> tuple[Points, Points]:
    """Give the edges where the lips meet, left to right: the upper lip's and the lower lip's."""
    u = np.linspace(-1, 1, 25)
    x = u * who.face.mouth_width * max(mood.mouth_width, 0.3)
    line = MOUTH_LINE + mood.smile * (0.45 - 1.3 * np.abs(u) ** 1.7) - mood.mouth_skew * u
    line = line + mood.wobble * np.sin(u * 2.5 * np.pi) * (1 - u**2) ** 0.3
    gap = max(mood.mouth_open, 0.0) * np.sqrt(1 - np.abs(u) ** 2.4)
    upper = np.stack([x, line - gap * 0.4], axis=1)
    lower = np.stack([x, line + gap * 0.6], axis=1)
    return upper, lower


def _inside(canvas: Canvas, gap: Points, upper: Points, mood: Expression) -> None:
    canvas.fill(gap, THROAT)
    if mood.mouth_open > 0.1:
        canvas.glow((0, gap[:, 1].max()), (0.13, 0.05), RED, 0.7)
    if mood.teeth < 0.2:
        return
    row = lowered(upper, mood.mouth_open * min(mood.teeth, 1.0))
    canvas.fill(np.concatenate([upper, row[::-1]]), ENAMEL)
    for i in range(2, len(upper) - 2, 3):
        canvas.stroke(np.stack([upper[i], row[i]]), (206.0, 213.0, 222.0), 0.004)
    if mood.teeth > 0.85:
        canvas.stroke((upper + row) / 2, (140.0, 146.0, 164.0), 0.010)


def _tears(canvas: Canvas, who: Person, mood: Expression) -> None:
    for side in (-1, 1):
        x = side * (who.face.eye_gap + who.face.eye_width * 0.25)
        top = EYE_LINE + who.face.eye_height * 0.6
        drop = spline(
            [
                (x, top),
                (x + side * 0.028, top + 0.16),
                (x, top + 0.2),
                (x - side * 0.024, top + 0.15),
            ],
            closed=True,
        )
        canvas.fill(drop, mix(who.skin, (255.0, 246.0, 236.0), 0.6 * min(mood.tears, 1.0)))
        canvas.fill(ellipse(x - 0.006, top + 0.15, 0.007, 0.02), WHITE)


def _glasses(canvas: Canvas, who: Person) -> None:
    face, frame = who.face, mix(who.skin, (48.0, 46.0, 52.0), 0.75)
    rx, ry = face.eye_width * 1.36, 0.185
    for side in (-1, 1):
        x, y = side * (face.eye_gap + 0.01), EYE_LINE + 0.03
        corners = [
            (-1, -0.55),
            (-0.7, -0.95),
            (0.7, -0.95),
            (1, -0.55),
            (0.75, 0.85),
            (-0.75, 0.85),
        ]
        rim = spline([(x + rx * a, y + ry * b) for a, b in corners], closed=True)
        canvas.stroke(np.concatenate([rim, rim[:1]]), frame, 0.011)
        canvas.stroke(
            np.array([(x + side * rx, y - 0.05), (side * face.width, y - 0.07)]), frame, 0.012
        )
    bridge = face.eye_gap + 0.01 - rx
    canvas.stroke(
        spline([(-bridge, EYE_LINE), (0, EYE_LINE - 0.02), (bridge, EYE_LINE)]), frame, 0.011
    )

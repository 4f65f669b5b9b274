"""Paint eyes, brows, nose and mouth from the geometry of a face and an expression."""

from __future__ import annotations

import numpy as np

from fertools.sample.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Points,
    ellipse,
    mix,
    ribbon,
    spline,
)
from fertools.sample.people import Expression, Person

EYE_LINE = 0.03  # distance below the middle of the head, as MOUTH_LINE
MOUTH_LINE = 0.62

IRIS: Colour = (30.0, 44.0, 66.0)
PUPIL: Colour = (8.0, 8.0, 10.0)
SCLERA: Colour = (232.0, 236.0, 240.0)
THROAT: Colour = (38.0, 28.0, 88.0)
ENAMEL: Colour = (232.0, 240.0, 244.0)
RED: Colour = (96.0, 92.0, 226.0)
SHADE: Colour = (56.0, 66.0, 116.0)  # of folds and hollows of the skin

#: Corners of a lens of the glasses, in units of its half axes.
LENS = ((-1, -0.55), (-0.7, -0.95), (0.7, -0.95), (1, -0.55), (0.75, 0.85), (-0.75, 0.85))


def paint_features(canvas: Canvas, person: Person, expression: Expression) -> None:
    """Paint all features that an expression changes, and the glasses over them."""
    _paint_cheeks(canvas, person, expression)
    _paint_folds(canvas, person, expression)
    _paint_nose(canvas, person)
    _paint_mouth(canvas, person, expression)
    for side in (-1, 1):
        _paint_eye(canvas, person, expression, side)
        _paint_brow(canvas, person, expression, side)
    if expression.tears > 0.2:
        _paint_tears(canvas, person, expression)
    if person.glasses:
        _paint_glasses(canvas, person)


def _paint_cheeks(canvas: Canvas, person: Person, expression: Expression) -> None:
    for side in (-1, 1):
        x = side * person.face.width * 0.6
        canvas.glow((x, 0.33), (0.26, 0.19), RED, 0.10 + 0.32 * max(expression.blush, 0.0))
        canvas.glow((x * 0.92, 0.24 - expression.smile * 0.4), (0.16, 0.10), WHITE, 0.10)


def _paint_folds(canvas: Canvas, person: Person, expression: Expression) -> None:
    shade = mix(person.skin, SHADE, 0.45)
    depth = (
        max(0.0, expression.smile) * 4
        + max(0, person.age - 30) / 60
        + max(0.0, expression.teeth) * 0.2
    )
    nose, reach = person.face.nose_width, person.face.mouth_width * expression.mouth_width
    for side in (-1, 1):
        fold = spline(
            [
                (side * (nose + 0.03), person.face.nose_tip - 0.02),
                (side * (reach + 0.07), MOUTH_LINE - 0.12),
                (side * (reach + 0.08), MOUTH_LINE + 0.02 - expression.smile),
            ]
        )
        if depth > 0.25:
            canvas.stroke(fold, mix(person.skin, shade, min(depth, 1.0)), 0.012)
    if expression.brow_squeeze > 0.04 and expression.brow_inner < 0.08:
        for side in (-1, 1):
            frown = spline([(side * 0.045, -0.22), (side * 0.035, -0.14), (side * 0.05, -0.07)])
            canvas.stroke(frown, shade, 0.014)


def _paint_nose(canvas: Canvas, person: Person) -> None:
    half, tip = person.face.nose_width, person.face.nose_tip
    shade = mix(person.skin, SHADE, 0.5)
    away = -1 if person.light > 0 else 1
    canvas.glow((away * 0.075, 0.12), (0.06, 0.26), mix(person.skin, BLACK, 0.4), 0.35)
    canvas.glow((-away * 0.02, 0.12), (0.045, 0.24), WHITE, 0.22)
    canvas.glow((0, tip - 0.03), (half * 0.8, 0.07), WHITE, 0.16)
    canvas.glow((0, tip + 0.06), (half * 1.1, 0.05), mix(person.skin, BLACK, 0.5), 0.4)
    for side in (-1, 1):
        wing = [(0.62, -0.085), (1.0, -0.03), (0.98, 0.025), (0.66, 0.035)]
        canvas.stroke(spline([(side * half * x, tip + y) for x, y in wing]), shade, 0.016)
        canvas.fill(ellipse(side * half * 0.45, tip + 0.035, 0.03, 0.014), mix(shade, BLACK, 0.5))


def _paint_eye(canvas: Canvas, person: Person, expression: Expression, side: int) -> None:
    upper, lower = _lids(person, expression, side)
    x, half = side * person.face.eye_gap, person.face.eye_width
    canvas.glow((x, EYE_LINE - 0.06), (half * 1.2, 0.10), mix(person.skin, SHADE, 0.5), 0.4)
    almond = np.concatenate([upper, lower[::-1]])
    with canvas.within(almond) as inside:
        inside.fill(almond, SCLERA)
        _paint_iris(inside, person, expression, x)
        inside.glow((x, upper[:, 1].min()), (half, 0.05), BLACK, 0.4)
    dark = mix(person.hair.colour, BLACK, 0.6) if person.age < 50 else (40.0, 40.0, 50.0)
    lash = np.sin(np.linspace(0, np.pi, len(upper)))
    canvas.fill(ribbon(upper, 0.010 + 0.010 * lash), dark)
    canvas.stroke(lower, mix(person.skin, dark, 0.45), 0.008)
    fold = np.add(upper, (0, -0.035 - 0.02 * expression.eye_open))
    canvas.stroke(fold[3:-2], mix(person.skin, SHADE, 0.5), 0.010)
    if expression.squint > 0.5:
        canvas.stroke(np.add(lower[3:-3], (0, 0.05)), mix(person.skin, SHADE, 0.4), 0.012)


def _paint_iris(canvas: Canvas, person: Person, expression: Expression, x: float) -> None:
    r = person.face.eye_height * 0.98
    x += expression.gaze_x * person.face.eye_width * 0.38
    y = EYE_LINE + 0.004 + expression.gaze_y * person.face.eye_height * 0.5
    for share, colour in ((1.0, mix(IRIS, BLACK, 0.5)), (0.84, IRIS), (0.42, PUPIL)):
        canvas.fill(ellipse(x, y, r * share, r * share), colour)
    gleam = 0.25 * r if person.light > 0 else -0.25 * r
    canvas.fill(ellipse(x + gleam, y - r * 0.35, r * 0.2, r * 0.2), WHITE)


def _lids(person: Person, expression: Expression, side: int) -> tuple[Points, Points]:
    """Return the upper and the lower lid, both from the inner to the outer corner."""
    face = person.face
    u = np.linspace(-1, 1, 17)
    x = side * (face.eye_gap + face.eye_width * u)
    corner = EYE_LINE - face.eye_slant * u
    arch = (1 - u**2) ** 0.75
    opening = face.eye_height * max(expression.eye_open, 0.12)
    # When an eye closes, the upper lid moves down to the lower lid.
    top = corner + arch * (face.eye_height * 0.55 - opening * 1.2)
    bottom = corner + arch * face.eye_height * (0.55 - 0.75 * max(expression.squint, 0.0))
    bottom = np.maximum(bottom, top + 0.006)
    return np.stack([x, top], axis=1), np.stack([x, bottom], axis=1)


def _paint_brow(canvas: Canvas, person: Person, expression: Expression, side: int) -> None:
    face = person.face
    level = EYE_LINE - face.brow_height
    inner = level - expression.brow_inner - side * expression.brow_skew
    outer = level + 0.02 - expression.brow_outer - side * expression.brow_skew
    start = face.eye_gap - face.eye_width * 1.15 - expression.brow_squeeze
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
    canvas.fill(ribbon(middle, half), mix(person.hair.colour, person.skin, 0.18))


def _paint_mouth(canvas: Canvas, person: Person, expression: Expression) -> None:
    upper, lower = _lip_lines(person, expression)
    u = np.linspace(-1, 1, len(upper))
    full = person.face.lips * (1 - 0.62 * max(expression.press, 0.0))
    bow = np.sqrt(np.maximum(1 - u**2, 0)) * (0.86 - 0.18 * np.exp(-((u / 0.16) ** 2)))
    rise = np.stack([0 * u, full * 0.85 * bow], axis=1)
    drop = np.stack([0 * u, full * 1.1 * np.maximum(1 - np.abs(u) ** 2.2, 0)], axis=1)
    shadow = MOUTH_LINE + full * 1.1 + expression.mouth_open * 0.6 + 0.06
    canvas.glow((0, shadow), (0.16, 0.045), mix(person.skin, BLACK, 0.4), 0.4)
    canvas.fill(np.concatenate([upper - rise, upper[::-1]]), mix(person.mouth, BLACK, 0.14))
    canvas.fill(np.concatenate([lower, (lower + drop)[::-1]]), person.mouth)
    canvas.glow((0, lower[:, 1].mean() + full * 0.6), (0.09, full * 0.4), WHITE, 0.25)
    gap = np.concatenate([upper, lower[::-1]])
    if expression.mouth_open > 0.012:
        with canvas.within(gap) as inside:
            _paint_mouth_inside(inside, gap, upper, expression)
    canvas.stroke(upper, mix(person.mouth, (20.0, 16.0, 40.0), 0.75), 0.014)


def _lip_lines(person: Person, expression: Expression) -> tuple[Points, Points]:
    """Return the inner edges of the upper and of the lower lip, each from left to right."""
    u = np.linspace(-1, 1, 25)
    x = u * person.face.mouth_width * max(expression.mouth_width, 0.3)
    line = (
        MOUTH_LINE + expression.smile * (0.45 - 1.3 * np.abs(u) ** 1.7) - expression.mouth_skew * u
    )
    line = line + expression.wobble * np.sin(u * 2.5 * np.pi) * (1 - u**2) ** 0.3
    gap = max(expression.mouth_open, 0.0) * np.sqrt(1 - np.abs(u) ** 2.4)
    upper = np.stack([x, line - gap * 0.4], axis=1)
    lower = np.stack([x, line + gap * 0.6], axis=1)
    return upper, lower


def _paint_mouth_inside(canvas: Canvas, gap: Points, upper: Points, expression: Expression) -> None:
    canvas.fill(gap, THROAT)
    if expression.mouth_open > 0.1:
        canvas.glow((0, gap[:, 1].max()), (0.13, 0.05), RED, 0.7)
    if expression.teeth < 0.2:
        return
    row = np.add(upper, (0, expression.mouth_open * min(expression.teeth, 1.0)))
    canvas.fill(np.concatenate([upper, row[::-1]]), ENAMEL)
    for i in range(2, len(upper) - 2, 3):
        canvas.stroke(np.stack([upper[i], row[i]]), (206.0, 213.0, 222.0), 0.004)
    if expression.teeth > 0.85:
        canvas.stroke((upper + row) / 2, (140.0, 146.0, 164.0), 0.010)


def _paint_tears(canvas: Canvas, person: Person, expression: Expression) -> None:
    for side in (-1, 1):
        x = side * (person.face.eye_gap + person.face.eye_width * 0.25)
        top = EYE_LINE + person.face.eye_height * 0.6
        offsets = [(0, 0), (side * 0.028, 0.16), (0, 0.2), (side * -0.024, 0.15)]
        drop = spline([(x + a, top + b) for a, b in offsets], closed=True)
        canvas.fill(drop, mix(person.skin, (255.0, 246.0, 236.0), 0.6 * min(expression.tears, 1.0)))
        canvas.fill(ellipse(x - 0.006, top + 0.15, 0.007, 0.02), WHITE)


def _paint_glasses(canvas: Canvas, person: Person) -> None:
    face, frame = person.face, mix(person.skin, (48.0, 46.0, 52.0), 0.75)
    rx, ry = face.eye_width * 1.36, 0.185
    for side in (-1, 1):
        x, y = side * (face.eye_gap + 0.01), EYE_LINE + 0.03
        rim = spline([(x + rx * a, y + ry * b) for a, b in LENS], closed=True)
        canvas.stroke(np.concatenate([rim, rim[:1]]), frame, 0.011)
        canvas.stroke(
            np.array([(x + side * rx, y - 0.05), (side * face.width, y - 0.07)]), frame, 0.012
        )
    bridge = face.eye_gap + 0.01 - rx
    canvas.stroke(
        spline([(-bridge, EYE_LINE), (0, EYE_LINE - 0.02), (bridge, EYE_LINE)]), frame, 0.011
    )

"""Draw the pictures of an evaluation, as the bytes of PNG files.

matplotlib is imported when the first one is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from fertools.fonts import open_figure
from fertools.inference.predictions import Bin
from fertools.training.curves import png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A bin with fewer predictions is drawn pale: its accuracy is a matter of chance.
FEW: Final = 20


@dataclass(frozen=True, slots=True)
class Face:
    """One mistake: the crop as PNG or JPEG bytes, its class, the predicted one, its confidence."""

    image: bytes
    label: str
    predicted: str
    confidence: float


def confusion_png(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> bytes:
    """Draw a confusion matrix: shares of the true class as shades, counts as numbers."""
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 2.5 + 0.6 * len(names)
    with open_figure(side, side, "".join(names)) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted class", ylabel="true class", title="Confusion matrix")
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
        return png(figure)


def reliability_png(bins: Sequence[Bin]) -> bytes:
    """Draw accuracy against confidence, and how many predictions there are."""
    with open_figure(5, 6.4) as figure:
        draw_reliability(figure, bins)
        return png(figure)


def draw_reliability(figure: Figure, bins: Sequence[Bin]) -> None:
    """Draw a reliability diagram into a figure: a bar a bin, pale with few predictions."""
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    for few, label in ((False, "accuracy"), (True, f"fewer than {FEW} predictions")):
        some = [each for each in bins if (each.count < FEW) is few]
        shade = {"color": "C0", "alpha": 0.25 if few else 1.0}
        _bars(upper, some, [each.accuracy for each in some], label=label, **shade)
    upper.plot((0, 1), (0, 1), "--", color="gray", label="perfect calibration")
    means = [each.confidence for each in bins], [each.accuracy for each in bins]
    upper.plot(*means, "k.", label="mean confidence of a bin")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title="Reliability diagram")
    _bars(lower, bins, [each.count for each in bins])
    lower.set(xlabel="confidence", ylabel="predictions")
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def mistakes_png(faces: Sequence[Face]) -> bytes:
    """Draw mistakes, the first at the top left; the picture shows faces: for the user only."""
    columns = 6
    rows = max(1, -(-len(faces) // columns))
    letters = "".join(face.label + face.predicted for face in faces)
    with open_figure(1.6 * columns, 2.1 * rows + 0.4, letters) as figure:
        figure.suptitle("Mistakes, the most confident first" if faces else "No mistakes")
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for axes, face in zip_longest(grid, faces):
            axes.axis("off")
            if face is not None:
                gray = cv2.imdecode(np.frombuffer(face.image, np.uint8), cv2.IMREAD_GRAYSCALE)
                axes.imshow(gray, cmap="gray", vmin=0, vmax=255)
                title = f"{face.label}\nas {face.predicted} {face.confidence:.2f}"
                axes.set_title(title, fontsize=8)
        return png(figure)


def _bars(axes: Axes, bins: Sequence[Bin], heights: Sequence[float], **style: Any) -> None:
    middles = [(each.low + each.high) / 2 for each in bins]
    widths = [each.high - each.low for each in bins]
    axes.bar(middles, heights, widths, edgecolor="white", **style)

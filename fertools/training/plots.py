"""The pictures of an evaluation, as the bytes of PNG files.

matplotlib is imported when the first one is drawn; without pyplot, so that no window system is
asked for and nothing stays behind.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from fertools.errors import DependencyError
from fertools.training.calibration import Bin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

#: Fonts with Hangul, by system; matplotlib's own has none, and class names may be Korean.
_HANGUL: Final = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
)


@dataclass(frozen=True, slots=True)
class Face:
    """One mistake: the crop as PNG or JPEG bytes, its class, the answer and how sure it was."""

    image: bytes
    label: str
    answer: str
    confidence: float


def confusion_png(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> bytes:
    """Draw a confusion matrix: shares of the true class as shades, counts as numbers."""
    counts = np.array(matrix)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 2.5 + 0.6 * len(names)
    with _figure(side, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="answer", ylabel="class", title="Who is taken for what")
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
        return _png(figure)


def reliability_png(bins: Sequence[Bin]) -> bytes:
    """Draw how often answers are right against how sure they are, and how many there are."""
    middles = [(each.low + each.high) / 2 for each in bins]
    widths = [each.high - each.low for each in bins]
    with _figure(5, 6) as figure:
        right, many = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        right.bar(middles, [each.accuracy for each in bins], widths, edgecolor="white")
        right.plot((0, 1), (0, 1), "--", color="gray", label="as sure as right")
        right.plot(
            [each.confidence for each in bins], [each.accuracy for each in bins], "k.", label="mean"
        )
        right.set(ylabel="right", xlim=(0, 1), ylim=(0, 1), title="Right as often as sure?")
        right.legend(loc="upper left")
        many.bar(middles, [each.count for each in bins], widths, edgecolor="white")
        many.set(xlabel="confidence", ylabel="answers")
        return _png(figure)


def mistakes_png(faces: Sequence[Face]) -> bytes:
    """Draw mistakes, the first at the top left; it shows faces, so it is for the user alone."""
    columns = 6
    rows = max(1, -(-len(faces) // columns))
    with _figure(1.6 * columns, 2.1 * rows + 0.4) as figure:
        figure.suptitle("Mistakes, the most confident first" if faces else "No mistakes")
        for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
            axes.axis("off")
            if place < len(faces):
                face = faces[place]
                gray = cv2.imdecode(np.frombuffer(face.image, np.uint8), cv2.IMREAD_GRAYSCALE)
                axes.imshow(gray, cmap="gray", vmin=0, vmax=255)
                title = f"{face.label}\nas {face.answer} {face.confidence:.2f}"
                axes.set_title(title, fontsize=8)
        return _png(figure)


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """Open a figure, in inches, whose texts may be Korean where the system has a font for it."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.font_manager import fontManager
    except ImportError as error:
        raise DependencyError(
            f"matplotlib cannot be imported ({error}): pip install matplotlib"
        ) from error
    installed = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in _HANGUL if name in installed)]
    with matplotlib.rc_context({"font.family": fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # boxes stand for Hangul then
        yield Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    facts: dict[str, Any] = {"Software": None}  # else every version of matplotlib, other bytes
    figure.savefig(file, format="png", dpi=110, metadata=facts)
    return file.getvalue()

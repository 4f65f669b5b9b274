"""Pictures show what they are given; looked at by eye, held here against blanks and mix-ups."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fertools import fonts
from fertools.fonts import drawable
from fertools.inference.plots import (
    FEW,
    Face,
    confusion_png,
    draw_reliability,
    mistakes_png,
    reliability_png,
)
from fertools.inference.predictions import Bin
from tests.training.fakes import square


def picture(png: bytes) -> NDArray[np.uint8]:
    """Decode a drawing: uint8 (H, W, 3) BGR."""
    found = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None and found.std() > 5, "it is blank"
    return np.asarray(found, np.uint8)


def test_a_confusion_matrix_shades_the_true_class_shares() -> None:
    right = picture(confusion_png([[9, 0], [0, 9]], ["joy", "anger"]))
    wrong = picture(confusion_png([[0, 9], [9, 0]], ["joy", "anger"]))
    assert right.shape == wrong.shape
    assert (right != wrong).any(axis=2).mean() > 0.2


def test_a_class_without_examples_is_drawn_too() -> None:
    assert picture(confusion_png([[9, 0], [0, 0]], ["joy", "anger"])).size


def test_bars_stand_where_the_confidence_is() -> None:
    low = picture(reliability_png([Bin(1 / 15, 2 / 15, FEW, 0.1, 1.0)]))
    blue = (low[..., 0] > 150) & (low[..., 2] < 60)
    assert blue[:, : low.shape[1] // 2].sum() > 10 * blue[:, low.shape[1] // 2 :].sum()


def test_mistakes_show_the_faces() -> None:
    dark, light = (
        picture(mistakes_png([Face(square(label), "joy", "anger", 0.9)])) for label in (1, 2)
    )
    assert (dark == 80).all(axis=2).mean() > 0.05
    assert (light == 160).all(axis=2).mean() > 0.05


@pytest.mark.filterwarnings("error")
def test_no_mistakes_and_korean_names_are_nothing_to_warn_of() -> None:
    assert picture(mistakes_png([])).size
    assert picture(confusion_png([[1]], drawable(["행복"]))).size


def test_a_font_of_the_system_draws_what_matplotlibs_own_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T6."""
    from matplotlib.font_manager import fontManager

    last = max(fontManager.ttflist, key=lambda entry: entry.name).fname
    for hangul, wanted in (("", "label 1"), ("행복", "행복")):
        letters = {last: frozenset(hangul)}
        monkeypatch.setattr(fonts, "_letters", lambda file, own=letters: own.get(file, {*"joy"}))
        fonts.fonts_for.cache_clear()
        assert drawable(["joy", "행복", "怒り"]) == ["joy", wanted, "label 2"]
    fonts.fonts_for.cache_clear()


def test_a_box_is_no_letter() -> None:
    """T6: matplotlib brings a font that has a box for every letter, here one of no alphabet."""
    assert drawable(["joy", "\u0378"]) == ["joy", "label 1"]


def test_bins_of_a_few_answers_are_pale_and_the_legend_covers_no_bar() -> None:
    """T15: a bin of one answer was a full bar, and the legend lay over bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 6.4), layout="constrained")
    draw_reliability(figure, [Bin(0, 1 / 15, 1, 0.05, 1.0), Bin(14 / 15, 1, FEW, 0.95, 0.9)])
    figure.canvas.draw()
    upper, lower = figure.axes
    shades = [bar.get_alpha() for bar in upper.patches]  # those of bins with enough come first
    assert shades == [1.0, 0.25]
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in (upper, lower))


def test_the_same_figures_give_the_same_bytes() -> None:
    first, second = (confusion_png([[3, 1], [0, 2]], ["joy", "anger"]) for _ in range(2))
    assert first == second

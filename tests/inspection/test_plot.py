"""Bars of `stats --plot`: as long as the counts, in both languages where a font has them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import fertools
from fertools import fonts
from fertools.errors import OptionError, OutputError
from fertools.inspection.counts.counting import CrossTable
from fertools.inspection.counts.plot import MAX_BARS, _limited, _matrix, draw_bars


def bars(file: Path, colour: tuple[int, int, int]) -> list[int]:
    """Return the lengths in pixels of the bars of a colour, from top to bottom."""
    with Image.open(file) as opened:
        image: NDArray[np.uint8] = np.asarray(opened.convert("RGB"))
    rows = (image == np.array(colour, np.uint8)).all(axis=2).sum(axis=1)
    lengths, inside = [], False
    for row in rows.tolist():
        if row and not inside:
            lengths.append(0)
        inside = bool(row)
        if row:
            lengths[-1] = max(lengths[-1], row)
    return lengths


BLUE = (0, 114, 178)


def test_bars_are_as_long_as_the_counts(tmp_path: Path) -> None:
    rows = tuple(((name,), count) for name, count in (("a", 40), ("b", 20), ("c", 10)))
    draw_bars(CrossTable(("class",), "photos", (("a", "b", "c"),), rows), {}, tmp_path / "p.png")
    first, second, third = bars(tmp_path / "p.png", BLUE)
    assert first == pytest.approx(2 * second, abs=3)
    assert second == pytest.approx(2 * third, abs=3)


def test_a_dataset_has_a_colour_for_each_split(dataset: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.png"
    counted = fertools.stats(dataset, plot=file)
    assert f"note: bars drawn into {file}" in counted.text()
    assert len(bars(file, BLUE)) == 3  # of seven classes, three have photos in train
    first = file.read_bytes()
    fertools.stats(dataset, plot=file)
    assert file.read_bytes() == first


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("by", ["class,sex", "place", "container,class"])
def test_any_one_or_two_fields_are_drawn_as_svg(source: Path, tmp_path: Path, by: str) -> None:
    file = tmp_path / "p.svg"
    fertools.stats(source, by=by, plot=file)
    text = file.read_text("utf-8")
    assert ("<svg" in text and "<dc:title>fertools" in text) or "fertools" in text
    assert not re.search(r"20\d\d-\d\d-\d\dT", text)  # the same bytes on another day


def test_three_fields_are_too_many(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--plot draws one or two fields, not 3"):
        fertools.stats(source, by="class,sex,age", plot=tmp_path / "p.png")
    with pytest.raises(OptionError, match=r"ends in \.png or \.svg"):
        fertools.stats(source, plot=tmp_path / "p.pdf")
    with pytest.raises(OutputError, match="never written to"):
        fertools.stats(source, plot=source / "p.png")
    assert not list(tmp_path.iterdir())


def test_many_values_are_joined_to_others() -> None:
    values = tuple(map(str, range(100)))
    by = CrossTable(("subject",), "photos", (values,), tuple(((v,), 1 + int(v)) for v in values))
    names, counts = _limited(values, _matrix(by), MAX_BARS)
    assert names == [*map(str, range(77, 100)), "77 others"]
    assert counts.sum() == sum(range(1, 101))


@pytest.mark.filterwarnings("error")
def test_without_a_font_with_hangul_classes_are_in_english(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fonts, "_letters", lambda file: frozenset(map(chr, range(32, 127))))
        fonts.fonts_for.cache_clear()
        notes = fertools.stats(dataset, plot=tmp_path / "p.png").notes
    fonts.fonts_for.cache_clear()
    assert any("in English: install one, such as the package fonts-noto-cjk" in n for n in notes)
    assert (tmp_path / "p.png").is_file()


@pytest.mark.filterwarnings("error")
def test_formulas_and_markup_in_names_are_drawn_as_text(tmp_path: Path) -> None:
    names = ("$x^2$", "<img src=x onerror=alert(1)>", "a\x1b[2J", "$", r"\$\alpha")
    rows = tuple(((name,), 1) for name in names)
    for file in (tmp_path / "p.png", tmp_path / "p.svg"):
        draw_bars(CrossTable(("container",), "photos", (names,), rows), {}, file)
    assert "<img" not in (tmp_path / "p.svg").read_text("utf-8")

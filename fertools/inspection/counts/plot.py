"""Draw counts of `stats` as bars, PNG or SVG. matplotlib is imported when one is drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.console import name_pair
from fertools.errors import OptionError, printable
from fertools.files import write_whole
from fertools.fonts import fonts_for, open_figure
from fertools.inspection.counts.counting import UNKNOWN, CrossTable
from fertools.inspection.pictures import MARK

#: Endings of a picture's name.
ENDINGS: Final = (".png", ".svg")

#: Bars of one colour at most, and colours; the others are joined to one.
MAX_BARS: Final = 24
MAX_COLOURS: Final = 8

#: Okabe and Ito's colours, distinct for the colour-blind.
_COLOURS: Final = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"),
)

#: Longest name of a bar in characters.
_MAX_NAME: Final = 36


def check_fields(fields: Sequence[str]) -> None:
    """Raise OptionError for more fields than a plot can show."""
    if len(fields) > 2:
        raise OptionError(f"--plot draws one or two fields, not {len(fields)}: give fewer to --by")


def draw_bars(by: CrossTable, english: Mapping[str, str], file: Path) -> None:
    """Draw a table of one or two fields: a bar a value of the first, a colour one of the second.

    Classes are named in Korean and English, or in English alone where no font has their letters.
    """
    names = [_names(by, i, english) for i in range(len(by.fields))]
    counts = _matrix(by)
    bars, counts = _limited(names[0], counts, MAX_BARS)
    colours, transposed = _limited(names[1] if len(names) > 1 else [""], counts.T, MAX_COLOURS)
    write_whole(file, _picture(by, bars, colours, transposed.T, file.suffix.lower()[1:]))


def _picture(
    by: CrossTable, bars: Sequence[str], colours: Sequence[str], counts: NDArray[Any], kind: str
) -> bytes:
    from matplotlib.ticker import MaxNLocator

    thickness = 0.8 / len(colours)
    height = 1.4 + 0.26 * len(bars) * max(1.6, len(colours))
    with open_figure(9, height, "".join((*bars, *colours))) as figure:
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
        axes = figure.subplots()
        for i, colour in enumerate(colours):
            places = np.arange(len(bars)) + (i - (len(colours) - 1) / 2) * thickness
            drawn = axes.barh(places, counts[:, i], thickness, label=colour, color=_COLOURS[i])
            axes.bar_label(drawn, [f"{n:,}" for n in counts[:, i]], padding=3, fontsize=8)
        axes.set_yticks(range(len(bars)), bars)
        axes.invert_yaxis()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        axes.margins(x=0.1, y=0.01)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlabel=by.counted, title=f"{by.counted} by {' and '.join(by.fields)}")
        if len(colours) > 1:
            figure.legend(title=by.fields[1], loc="outside right upper", frameon=False)
        return _file_bytes(figure, kind)


def _file_bytes(figure: Any, kind: str) -> bytes:
    """Return a figure as a file: the same drawing, the same bytes."""
    import matplotlib

    metadata: dict[str, Any] = {"png": {"Software": MARK}, "svg": {"Creator": MARK, "Date": None}}
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": MARK}):
        figure.savefig(file, format=kind, dpi=110, metadata=metadata[kind])
    return file.getvalue()


def _matrix(by: CrossTable) -> NDArray[np.int64]:
    """Return the counts, (values of the first field, values of the second or 1)."""
    places = [{value: i for i, value in enumerate(values)} for values in by.values]
    counts = np.zeros([len(p) for p in places] + [1] * (2 - len(places)), np.int64)
    for values, number in by.rows:
        where = [place[value] for place, value in zip(places, values, strict=True)]
        counts[tuple(where + [0] * (2 - len(where)))] = number
    return counts


def _limited(
    names: Sequence[str], counts: NDArray[np.int64], most: int
) -> tuple[list[str], NDArray[np.int64]]:
    """Keep the `most` largest rows in their order, and join the others to one."""
    if len(names) <= most:
        return [*names], counts
    largest = np.sort(np.argsort(-counts.sum(1), kind="stable")[: most - 1])
    others = counts.sum(0) - counts[largest].sum(0)
    kept = [names[i] for i in largest.tolist()]
    return [*kept, f"{len(names) - len(kept):,} others"], np.vstack([counts[largest], others])


def _names(by: CrossTable, field: int, english: Mapping[str, str]) -> list[str]:
    """Return the values of a field as they are drawn."""
    if by.fields[field] not in ("class", "emotion"):
        return [
            _short(UNKNOWN if value is None else printable(value)) for value in by.values[field]
        ]
    pairs = [
        (UNKNOWN, UNKNOWN) if value is None else (value, english.get(value, value))
        for value in by.values[field]
    ]
    letters = frozenset("".join(printable(name) for name, _ in pairs))
    has_names = letters <= fonts_for(letters)[1]
    return [_short(name_pair(name if has_names else word, word)) for name, word in pairs]


def _short(text: str) -> str:
    # matplotlib would take a text between two "$" for a formula.
    text = text.replace("$", r"\$")
    return text if len(text) <= _MAX_NAME else f"{text[:12]}…{text[13 - _MAX_NAME :]}"

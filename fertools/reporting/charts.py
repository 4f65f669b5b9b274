"""Draw charts as inline SVG, each with a title, a description and a table of the same numbers.

    bars       a row a category, its parts side by side        ▇▇▇▇▇▇▇▇▒▒▒░░
    columns    counts over an ordered scale                     ▂▃▇▅▁
    lines      figures over a scale, from 0 to their maximum
    matrix     counts of rows × classes, shaded by their share of the row

Widths are percentages, heights and letters pixels: the same chart fits 390 and 1400 pixels, and its
text stays readable. Colours are classes of page.css, so that a dark page has dark charts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from fertools.reporting.markup import cell_text, node, table

#: Pixels: a row of `bars` with its line of text, and the height of the other charts.
_ROW: Final = 42
_HEIGHT: Final = 180

#: Columns for which there is room at least: one alone is no block.
_COLUMNS: Final = 6

#: The share of a matrix' width that the names of the classes take, in percent.
_NAMES: Final = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of `bars`: a label, its numbers, and a remark behind their sum."""

    label: str
    values: tuple[float, ...]
    remark: str = ""


def bars(
    title: str,
    about: str,
    rows: Sequence[Bar],
    names: Sequence[str],
    *,
    whole: float | None = None,
) -> Element:
    """Draw a horizontal bar for each row.

    names   of the values, in their order
    whole   the sum that fills the width; the largest one if None
    """
    longest = whole or max((sum(row.values) for row in rows), default=0) or 1
    shapes = [
        shape
        for i, row in enumerate(rows)
        for shape in _bar(row, names, top=i * _ROW, scale=100 / longest)
    ]
    head = ["", *names, *(["all"] if len(names) > 1 else []), *([""] if _remarks(rows) else [])]
    lines = [
        (r.label, *r.values, *([sum(r.values)] if len(names) > 1 else []), *_remark(r, rows))
        for r in rows
    ]
    key = _key(names) if len(names) > 1 else None
    return _figure(title, about, shapes, table(head, lines), height=_ROW * len(rows), key=key)


def _bar(row: Bar, names: Sequence[str], *, top: int, scale: float) -> Iterator[Element]:
    total = cell_text(sum(row.values)) + (f" · {row.remark}" if row.remark else "")
    yield node("text", row.label, x=0, y=top + 14)
    yield node("text", total, x="100%", y=top + 14, class_="end soft")
    yield node("rect", x=0, y=top + 21, width="100%", height=10, rx=3, class_="rail")
    start = 0.0
    for number, (name, value) in enumerate(zip(names, row.values, strict=True)):
        yield node(
            "rect",
            node("title", f"{row.label}, {name}: {cell_text(value)}"),
            x=_percent(start * scale),
            y=top + 21,
            width=_percent(value * scale),
            height=10,
            class_=f"s{number}",
        )
        start += value


def columns(
    title: str,
    about: str,
    counts: Mapping[str, int],
    *,
    scale: str,
    edges: Sequence[str] | None = None,
) -> Element:
    """Draw a column for each count.

    scale   the name of the axis
    edges   of a histogram, one more than counts: written below it instead of the labels
    """
    highest = max(counts.values(), default=0) or 1
    step = 100 / max(len(counts), _COLUMNS)
    base = _HEIGHT - 24
    shapes = [
        node("text", cell_text(highest), x=0, y=10, class_="soft"),
        node("line", x1=0, y1=base, x2="100%", y2=base, class_="axis"),
    ]
    for i, (label, count) in enumerate(counts.items()):
        height = (base - 18) * count / highest
        shapes.append(
            node(
                "rect",
                node("title", f"{label}: {count:,}"),
                x=_percent(i * step + step * 0.08),
                y=f"{base - height:.1f}",
                width=_percent(step * 0.84),
                height=f"{height:.1f}",
                class_="s0",
            )
        )
    shapes += _ticks(list(counts), 0.5, step) if edges is None else _ticks(edges, 0, step)
    return _figure(title, about, shapes, table((scale, "count"), counts.items()), height=_HEIGHT)


def _ticks(labels: Sequence[str], shift: float, step: float) -> Iterator[Element]:
    """Write some labels below columns, shifted by a share of a column."""
    every = -(-len(labels) // (2 * _COLUMNS if shift else _COLUMNS))
    for i, label in list(enumerate(labels))[::every]:
        x = (i + shift) * step
        style = "start" if x == 0 else "end" if x > 99.9 else "middle"
        yield node("text", label, x=_percent(x), y=_HEIGHT - 6, class_=f"{style} soft")


def lines(
    title: str,
    about: str,
    series: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    *,
    scale: str,
    marked: int | None = None,
    shaded: int | None = None,
) -> Element:
    """Draw a line for each series over labels of a scale.

    marked, shaded  the index of a label with a dashed line, and of one from which on it is shaded
    """
    highest = max((max(values, default=0) for values in series.values()), default=0) or 1
    across = 100 / max(len(labels) - 1, 1)
    drawn: list[Element] = []
    if shaded is not None:
        x = shaded * across
        box = {"x": f"{x:.2f}", "width": f"{100 - x:.2f}"}
        drawn.append(node("rect", y=0, height=100, class_="shade", fill_opacity=0.12, **box))
    if marked is not None:
        at = f"{marked * across:.2f}"
        drawn.append(node("line", x1=at, y1=0, x2=at, y2=100, class_="axis dashed"))
    for number, values in enumerate(series.values()):
        points = " ".join(
            f"{i * across:.2f},{100 - 100 * value / highest:.2f}" for i, value in enumerate(values)
        )
        drawn.append(node("polyline", points=points, class_=f"l{number}"))
    base = _HEIGHT - 24
    plot = node(
        "svg",
        *drawn,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        y=16,
        width="100%",
        height=base - 16,
    )
    shapes = [
        node("text", cell_text(highest), x=0, y=10, class_="soft"),
        node("line", x1=0, y1=base, x2="100%", y2=base, class_="axis"),
        plot,
        node("text", f"{scale} {labels[0]}", x=0, y=_HEIGHT - 6, class_="soft"),
        node("text", labels[-1], x="100%", y=_HEIGHT - 6, class_="end soft"),
    ]
    data = table((scale, *series), zip(labels, *series.values(), strict=True))
    return _figure(title, about, shapes, data, height=_HEIGHT, key=_key([*series], line=True))


def matrix(
    title: str,
    about: str,
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    rows: Sequence[str] | None = None,
) -> Element:
    """Draw counts as shaded squares: `names` are those of the columns, and of the rows.

    Columns are numbered, and a key has their names: seven names do not fit beside each other.
    """
    rows = names if rows is None else rows
    step, side = (100 - _NAMES) / max(len(names), 1), 38
    shapes = [
        node("text", f"{i + 1}", x=_percent(_NAMES + (i + 0.5) * step), y=14, class_="middle soft")
        for i in range(len(names))
    ]
    for number, (row, own) in enumerate(zip(rows, counts, strict=True)):
        top = 22 + number * side
        name = node("text", row, x=0, y=side / 2 + 5)
        # A nested drawing cuts off what is too long.
        shapes.append(node("svg", name, y=top, width=_percent(_NAMES - 1), height=side))
        for column, count in enumerate(own):
            share = count / max(sum(own), 1)
            what = f"{row} as {names[column]}: {count:,}, {100 * share:.1f} %"
            x = _NAMES + column * step
            shapes += _square(count, share, what, x=x, top=top, step=step, side=side)
    data = table(("", *names), [(row, *own) for row, own in zip(rows, counts, strict=True)])
    key = node("ul", *(node("li", f"{i + 1} {name}") for i, name in enumerate(names)), class_="key")
    return _figure(title, about, shapes, data, height=22 + side * len(rows), key=key)


def _square(
    count: int, share: float, what: str, *, x: float, top: int, step: float, side: int
) -> Iterator[Element]:
    yield node(
        "rect",
        node("title", what),
        x=_percent(x + step * 0.02),
        y=top + 1,
        width=_percent(step * 0.96),
        height=side - 2,
        rx=3,
        class_="shade",
        fill_opacity=f"{0.06 + 0.94 * share:.3f}",
    )
    tone = "middle light" if share > 0.55 else "middle"
    middle = _percent(x + step / 2)
    yield node("text", cell_text(count), x=middle, y=top + side / 2 + 5, class_=tone)


def _figure(
    title: str,
    about: str,
    shapes: Sequence[Element],
    data: Element,
    *,
    height: float,
    key: Element | None = None,
) -> Element:
    """Return a chart with its heading, key, drawing and table."""
    name = re.sub(r"\W+", "-", title.lower()).strip("-")
    drawing = node(
        "svg",
        node("title", title, id=f"{name}-title"),
        node("desc", about, id=f"{name}-desc"),
        *shapes,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        width="100%",
        height=f"{max(height, 1):.0f}",
    )
    caption = node("figcaption", node("h3", title), node("p", about))
    numbers = node(
        "details", node("summary", "Table"), node("div", data, class_="scroll", tabindex=0)
    )
    middle = [] if key is None else [key]
    return node("figure", caption, *middle, drawing, numbers, class_="chart", id=f"chart-{name}")


def _key(names: Sequence[str], *, line: bool = False) -> Element:
    kind = "l" if line else "s"
    items = (
        node("li", node("span", class_=f"swatch {kind}{i}"), name) for i, name in enumerate(names)
    )
    return node("ul", *items, class_="key")


def _remarks(rows: Sequence[Bar]) -> bool:
    return any(row.remark for row in rows)


def _remark(row: Bar, rows: Sequence[Bar]) -> tuple[str, ...]:
    return (row.remark,) if _remarks(rows) else ()


def _percent(value: float) -> str:
    return f"{value:.3f}%"

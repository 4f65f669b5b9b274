"""Build HTML and SVG as trees, so that every text and attribute is escaped by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

from fertools.errors import printable

#: A child of a node: a node, or a text, which is escaped.
Child = Element | str


def node(tag: str, /, *children: Child, **attributes: object) -> Element:
    """Return an element; `class_` is the attribute class, and `_` in a name becomes `-`.

    Attributes that are None are left out. Control characters of texts are shown as escapes.

    >>> to_html(node("p", "a < b", class_="note"))
    '<p class="note">a &lt; b</p>'
    """
    named = {
        key.rstrip("_").replace("_", "-"): printable(str(value))
        for key, value in attributes.items()
        if value is not None
    }
    element = Element(tag, named)
    extend(element, children)
    return element


def extend(element: Element, children: Iterable[Child]) -> None:
    """Append nodes and texts to an element."""
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + printable(child)
        else:
            element.text = (element.text or "") + printable(child)


def to_html(*elements: Element) -> str:
    """Return elements as HTML, a line each."""
    return "\n".join(tostring(each, encoding="unicode", method="html") for each in elements)


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str | None = None
) -> Element:
    """Return a table: the first cell of a row is its header, numbers are aligned to the right."""
    titles = (node("th", text, scope="col") for text in head)
    body = node("tbody", *(_row(row) for row in rows))
    top = [] if caption is None else [node("caption", caption)]
    return node("table", *top, node("thead", node("tr", *titles)), body)


def _row(cells: Sequence[object]) -> Element:
    first, *rest = cells
    return node("tr", node("th", cell_text(first), scope="row"), *map(_cell, rest))


def _cell(value: object) -> Element:
    is_number = isinstance(value, int | float)
    return node("td", cell_text(value), class_="number" if is_number else None)


def cell_text(value: object) -> str:
    """Return a value for a table: thousands separated, three decimals at most, "–" for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

"""Find fonts of this system that have the letters of class names, and open figures with them.

matplotlib is imported when a function is called.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: matplotlib's own font, which comes with it.
_OWN: Final = "DejaVu Sans"

#: Fonts that are tried first: matplotlib's own, then fonts with Hangul of different systems.
_PREFERRED: Final = (
    _OWN,
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
)


def drawable(names: Sequence[str]) -> list[str]:
    """Return class names that can be drawn: "label 2" for one whose letters no font here has."""
    covered = fonts_for(frozenset("".join(names)))[1]
    return [name if covered >= {*name} else f"label {i}" for i, name in enumerate(names)]


@lru_cache(maxsize=8)
def fonts_for(letters: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Return fonts of this system that have the letters between them, and which those are.

    matplotlib's own comes first. The others are opened only for letters that it lacks: a class
    may have any name.
    """
    files = _font_files()
    families, covered = {_OWN: None}, frozenset[str]()  # a dict for an ordered set
    for name in dict.fromkeys((*_PREFERRED, *sorted(files))):
        wanted = letters - covered if name in files else None
        if wanted and (more := wanted & _letters(files[name])):
            families[name] = None
            covered |= more
    return [*families], covered


def font_file(letters: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Return the file of one font for all letters and ASCII, and the characters that it has.

    matplotlib's own font if no font of this system has them all.
    """
    files, wanted = _font_files(), letters | set(string.printable.strip())
    for name in dict.fromkeys((*_PREFERRED, *sorted(files))):
        if name in files and wanted <= (own := _letters(files[name])):
            return files[name], own
    return files[_OWN], _letters(files[_OWN])


def font_warning(names: Sequence[str]) -> tuple[str, ...]:
    """Return a line if no font of this system can draw some of the names, else ()."""
    letters = frozenset("".join(names))
    if letters <= fonts_for(letters)[1]:
        return ()
    return (
        "no font of this system has the letters of the class names, and the picture has them in "
        "English: install one, such as the package fonts-noto-cjk or fonts-nanum",
    )


def _font_files() -> dict[str, str]:
    from matplotlib.font_manager import fontManager

    # "Last Resort" comes with matplotlib and has a box for every letter that there is.
    entries = [e for e in reversed(fontManager.ttflist) if not e.name.startswith("Last Resort")]
    return {entry.name: entry.fname for entry in entries}


def _letters(file: str) -> frozenset[str]:
    """Return the characters that a font has, none where it cannot be opened."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(map(chr, get_font(file).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


@contextmanager
def open_figure(width: float, height: float, letters: str = "") -> Iterator[Figure]:
    """Open a figure, in inches, with fonts for some letters where the system has them."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.family": fonts_for(frozenset(letters))[0]}):
        yield Figure(figsize=(width, height), layout="constrained")

"""Check that a picture may be written to a file, before the work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fertools.errors import OptionError, OutputError, printable
from fertools.files import check_place

#: The text in a PNG's `Software` and an SVG's `Creator`: such a file may be replaced.
MARK: Final = "fertools"

#: Bytes at the beginning of a picture that contain the mark.
_HEAD_BYTES: Final = 4096


def check_picture(file: Path, endings: Sequence[str], source: Path | None = None) -> None:
    """Raise OptionError or OutputError if a picture must not be written to `file`.

    Its name must end in one of `endings`; its folder must exist; it must not lie in `source`, which
    is never written to; and a file that is there already must be a picture with the MARK.
    """
    shown = printable(str(file))
    if file.suffix.lower() not in endings:
        raise OptionError(f"{shown}: give a name that ends in {' or '.join(endings)}")
    if source and source.is_dir() and file.resolve().is_relative_to(source.resolve()):
        raise OutputError(
            f"{shown} would lie in {printable(str(source))}, which is never written to: "
            "give a file elsewhere"
        )
    check_place(file)
    if file.exists() and not _is_own(file):
        raise OutputError(
            f"{shown} is there and was not drawn by fertools: remove it, or give another file"
        )


def _is_own(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return MARK.encode() in opened.read(_HEAD_BYTES)
    except OSError:
        return False

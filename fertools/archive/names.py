"""What a file is called, and what its name says it is: photo, label file, or neither."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from fertools.data import Drop, Reason
from fertools.errors import printable

PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

#: Endings of pictures that are not read, by what people call the format.
OTHER_FORMATS = {
    ".heic": "HEIC",
    ".heif": "HEIF",
    ".avif": "AVIF",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jp2": "JPEG 2000",
    ".jxl": "JPEG XL",
}

_HIDDEN = Drop(Reason.NOT_A_PHOTO, "a hidden file")
_APPLE_DOUBLE = Drop(Reason.NOT_A_PHOTO, "macOS keeps a photo's attributes here, not its picture")
_NESTED = Drop(Reason.NOT_A_PHOTO, "a zip inside a zip is not opened: unpack it beside this one")
_LABELS = Drop(Reason.LABEL_FILE)


def decode_name(raw: bytes) -> str:
    r"""Give a name's text in NFC, from whatever bytes a file system or a zip holds.

    UTF-8 first, because the UTF-8 bytes of 기쁨, 분노, 불안 and 중립 are valid CP949 too and
    would read as other syllables; the CP949 bytes of the seven emotions are never valid UTF-8.
    CP949 and not EUC-KR, which lacks 8,822 syllables. What is neither keeps its odd bytes as
    `\xff`. A zip's UTF-8 flag is not asked: set, it may stand over CP949 bytes, and unset over
    UTF-8, so both ways the answer is the same three steps.
    """
    if raw.isascii():
        return raw.decode("ascii")
    return unicodedata.normalize("NFC", _text(raw))


def _text(raw: bytes) -> str:
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=256)  # so that the photos of a folder share one string
def decode_path(path: bytes) -> str:
    """Give the text of a path in NFC, each step decoded by itself: a disk may hold a mixture."""
    return "/".join(decode_name(step) for step in path.split(b"/"))


def decode_entry_name(raw: bytes) -> str:
    r"""Give the name of a zip's entry, with "/" between folders and never leaving its container.

    >>> decode_packed(rb"..\photos\.\a.jpg")
    'photos/a.jpg'

    Nothing is extracted, so a wicked path cannot harm; but a key is read by people and tools.
    """
    # On bytes: neither UTF-8 nor CP949 has a backslash as the later byte of a character.
    steps = decode_name(raw.replace(b"\\", b"/")).split("/")
    return "/".join(step for step in steps if step not in ("", ".", "..")) or "(no name)"


def is_zip(name: str) -> bool:
    """Say whether a name ends as a zip's does, in any case."""
    return name[-4:].lower() == ".zip"


def is_hidden(name: str) -> bool:
    """Say whether a file or one of its folders ("/" between them) is bookkeeping, not content."""
    return name[0] == "." or "/." in name or name.startswith("__MACOSX/") or "/__MACOSX/" in name


def drop_by_name(name: str) -> Drop | None:
    """Say why a file of this name ("/" between folders) is no photo; None for a photo."""
    if is_hidden(name):
        return (
            _APPLE_DOUBLE if "__MACOSX/" in name or "/._" in name or name[:2] == "._" else _HIDDEN
        )
    _, dot, ending = name[name.rfind("/") + 1 :].rpartition(".")
    return _refusal_of_ending(f".{ending.lower()}" if dot else "")


@lru_cache(maxsize=1024)  # half a million rows then share a handful of Drops
def _refusal_of_ending(ending: str) -> Drop | None:
    if ending in PHOTO_ENDINGS:
        return None
    if ending in OTHER_FORMATS:
        return Drop(Reason.UNSUPPORTED, f"a {OTHER_FORMATS[ending]} picture: convert it to JPEG")
    if ending == ".json":
        return _LABELS
    if ending == ".zip":
        return _NESTED
    said = f"its ending is {printable(ending)}" if ending else "its name has no ending"
    return Drop(Reason.NOT_A_PHOTO, said)


def picture_format(name: str) -> str:
    """Return what a picture's format is called by its ending, in one of `OTHER_FORMATS`.

    >>> picture_format("2024/IMG_0001.HEIC")
    'HEIC'
    """
    return OTHER_FORMATS[name[name.rfind(".") :].lower()]

"""Decode file names, and tell photos and label files from everything else by name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from fertools.data import Drop, Reason
from fertools.errors import printable

PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

#: Endings of pictures that are not read, with the common name of the format.
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
    r"""Return a name from a file system or a zip as text in NFC.

    UTF-8 first, because the UTF-8 bytes of 기쁨, 분노, 불안 and 중립 are valid CP949 too and
    would read as other syllables; the CP949 bytes of the seven emotions are never valid UTF-8.
    CP949 and not EUC-KR, which lacks 8,822 syllables. In a name that is valid in neither, each
    invalid byte becomes `\xff`. A zip's UTF-8 flag is ignored: some writers set it for CP949
    names, and others leave it out for UTF-8 names.
    """
    if raw.isascii():
        return raw.decode("ascii")
    return unicodedata.normalize("NFC", _decode(raw))


def _decode(raw: bytes) -> str:
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "backslashreplace")


@lru_cache(maxsize=256)  # so that the photos of a folder share one string
def decode_path(path: bytes) -> str:
    """Return a path in NFC; each step is decoded separately, since a disk may mix encodings."""
    return "/".join(decode_name(step) for step in path.split(b"/"))


def decode_entry_name(raw: bytes) -> str:
    r"""Return the name of a zip's entry with "/" between folders, never outside its container.

    >>> decode_entry_name(rb"..\photos\.\a.jpg")
    'photos/a.jpg'

    Nothing is extracted, so a malicious path does no harm; but people and tools read the keys.
    """
    # On bytes: in UTF-8 and CP949, a backslash is never a later byte of a character.
    steps = decode_name(raw.replace(b"\\", b"/")).split("/")
    return "/".join(step for step in steps if step not in ("", ".", "..")) or "(no name)"


def is_zip(name: str) -> bool:
    """Return whether a name ends in ".zip", in any case."""
    return name[-4:].lower() == ".zip"


def is_hidden(name: str) -> bool:
    """Return whether a file or one of its folders ("/" between them) is hidden or made by macOS."""
    return name[0] == "." or "/." in name or name.startswith("__MACOSX/") or "/__MACOSX/" in name


def drop_by_name(name: str) -> Drop | None:
    """Return why a file of this name ("/" between folders) is not a photo; None for a photo."""
    if is_hidden(name):
        is_apple_double = "__MACOSX/" in name or "/._" in name or name[:2] == "._"
        return _APPLE_DOUBLE if is_apple_double else _HIDDEN
    _, dot, ending = name[name.rfind("/") + 1 :].rpartition(".")
    return _drop_by_ending(f".{ending.lower()}" if dot else "")


@lru_cache(maxsize=1024)  # so that half a million rows share a few Drops
def _drop_by_ending(ending: str) -> Drop | None:
    if ending in PHOTO_ENDINGS:
        return None
    if ending in OTHER_FORMATS:
        return Drop(Reason.UNSUPPORTED, f"a {OTHER_FORMATS[ending]} picture: convert it to JPEG")
    if ending == ".json":
        return _LABELS
    if ending == ".zip":
        return _NESTED
    detail = f"its ending is {printable(ending)}" if ending else "its name has no ending"
    return Drop(Reason.NOT_A_PHOTO, detail)

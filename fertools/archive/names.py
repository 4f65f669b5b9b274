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

#: Endings of archives that are compressed as a whole.
_COMPRESSED = frozenset(
    {".tgz", ".gz", ".tbz", ".bz2", ".txz", ".xz", ".tzst", ".zst", ".lz4", ".7z", ".rar"}
)
COMPRESSED_DROP = Drop(
    Reason.NOT_A_PHOTO, "compressed as a whole, so no photo in it can be read in place: unpack it"
)

_HIDDEN = Drop(Reason.NOT_A_PHOTO, "a hidden file")
_APPLE_DOUBLE = Drop(Reason.NOT_A_PHOTO, "macOS keeps a photo's attributes here, not its picture")
_NESTED = Drop(Reason.NOT_A_PHOTO, "a zip inside a zip is not opened: unpack it beside this one")
_NESTED_TAR = Drop(
    Reason.NOT_A_PHOTO, "a tar inside another archive is not opened: unpack it beside this one"
)
_BY_ENDING = {".json": Drop(Reason.LABEL_FILE), ".zip": _NESTED, ".tar": _NESTED_TAR}


def decode_name(raw: bytes) -> str:
    r"""Decode a name from a file system or a zip as UTF-8, else as CP949, and return it in NFC.

    UTF-8 is tried first: the UTF-8 bytes of 기쁨, 분노, 불안 and 중립 are also valid CP949, where
    they are other syllables; the CP949 bytes of the seven emotions are never valid UTF-8. EUC-KR
    is not used: it lacks 8,822 syllables of CP949. If a name is valid in neither encoding, each
    invalid byte becomes an escape such as `\xff`. A zip's UTF-8 flag is ignored: some writers set
    it for CP949 names, and others omit it for UTF-8 names.
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


@lru_cache(maxsize=256)  # the photos of a folder then share one string
def decode_path(path: bytes) -> str:
    """Return a path in NFC; each folder name is decoded by itself: a disk may mix encodings."""
    return "/".join(decode_name(step) for step in path.split(b"/"))


def decode_entry_name(raw: bytes) -> str:
    r"""Return the name of a zip entry, with "/" between folders and without ".." and "."

    >>> decode_entry_name(rb"..\photos\.\a.jpg")
    'photos/a.jpg'

    Nothing is extracted, so a malicious path is no danger here; but users and tools read the keys.
    """
    # On bytes: in UTF-8 and CP949, a backslash is never a later byte of a character.
    steps = decode_name(raw.replace(b"\\", b"/")).split("/")
    return "/".join(step for step in steps if step not in ("", ".", "..")) or "(no name)"


def is_zip(name: str) -> bool:
    """Return whether a name ends with ".zip", ".ZIP" or the like."""
    return name[-4:].lower() == ".zip"


def is_tar(name: str) -> bool:
    """Return whether a name ends with ".tar", ".TAR" or the like."""
    return name[-4:].lower() == ".tar"


def is_hidden(name: str) -> bool:
    """Return whether a path ("/" between folders) has a hidden step or lies in `__MACOSX`."""
    return name[0] == "." or "/." in name or name.startswith("__MACOSX/") or "/__MACOSX/" in name


def drop_by_name(name: str) -> Drop | None:
    """Return why a file with this path ("/" between folders) is not a photo; None for a photo."""
    if is_hidden(name):
        is_apple_double = "__MACOSX/" in name or "/._" in name or name[:2] == "._"
        return _APPLE_DOUBLE if is_apple_double else _HIDDEN
    _, dot, ending = name[name.rfind("/") + 1 :].rpartition(".")
    return _drop_by_ending(f".{ending.lower()}" if dot else "")


@lru_cache(maxsize=1024)  # half a million rows then share a few Drops
def _drop_by_ending(ending: str) -> Drop | None:
    if ending in PHOTO_ENDINGS:
        return None
    if ending in OTHER_FORMATS:
        return Drop(Reason.UNSUPPORTED, f"a {OTHER_FORMATS[ending]} picture: convert it to JPEG")
    if ending in _COMPRESSED:
        return COMPRESSED_DROP
    if known := _BY_ENDING.get(ending):
        return known
    detail = f"its ending is {printable(ending)}" if ending else "its name has no ending"
    return Drop(Reason.NOT_A_PHOTO, detail)

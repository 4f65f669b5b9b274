"""Name the files of examples and the folders of classes.

A pseudonym is a file name as it is. A plain key (--keep-names) is a path with any characters and of
any length: a digest of it takes its place, and the key itself stands in the metadata. A class's
folder is called like the class, in Korean too, without what some file system refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from fertools.dataset.manifest import ClassName
from fertools.hashing import pseudonym

_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}(\+\d+)?", re.ASCII)

_SUFFIX: Final = {"png": "png", "jpeg": "jpg"}

#: Characters that Linux, macOS or Windows refuse in a name.
_REFUSED: Final = frozenset('/\\:*?"<>|')

#: Bytes of a folder's name at most; file systems allow 255, and its label may come before it.
_LONGEST: Final = 240


def file_stem(key: str) -> str:
    """Return the name of an example's files without the suffix: ASCII, without dots, short."""
    return key if _PSEUDONYM.fullmatch(key) else pseudonym(b"", key, "export")


def suffix(image_format: str) -> str:
    """Return the suffix of the files of a format, "png" or "jpeg", without the dot."""
    return _SUFFIX[image_format]


def folder_names(classes: Sequence[ClassName]) -> list[str]:
    """Return the name of each class's folder, in the order of the labels.

    If two would be one folder, perhaps only where case does not count, all begin with their label.
    """
    names = [_folder_name(entry.name) for entry in classes]
    if len({name.casefold() for name in names}) < len(names):
        return [f"{label} {name}" for label, name in enumerate(names)]
    return names


def _folder_name(name: str) -> str:
    safe = "".join(c if c.isprintable() and c not in _REFUSED else "_" for c in name)
    short = safe.encode()[:_LONGEST].decode(errors="ignore")
    return re.sub(r"^\.|[. ]$", "_", short)

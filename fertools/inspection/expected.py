"""Read the list of files that a download should have, such as AI-Hub's own.

    $ aihubshell -mode l -datasetkey 82 > files.txt

        │  ├─[원천]EMOIMG_기쁨_TRAIN_01.zip | 31 GB | 49345      name, size, filekey
        │  └─[원천]EMOIMG_기쁨_TRAIN_02.zip | 30 GB | 49346

A list with one file name per line is read as well; it has no keys.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fertools.archive.names import decode_name, decode_path
from fertools.errors import OptionError

#: Lines that draw the tree of folders begin with these.
_TREE: Final = " \t│├└─|`-+\ufeff"
_LISTED: Final = re.compile(r"(.+?)\s*\|[^|]*\|\s*(\d+)\s*")
_PLAIN: Final = re.compile(r"\S.*\.(?:zip|tar)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """One file of the list: its name, NFC, and AI-Hub's filekey or ""."""

    name: str
    filekey: str = ""


def read_expected(path: Path) -> tuple[ExpectedFile, ...]:
    """Read a list of files, in UTF-8 or CP949.

    Raises OptionError if it cannot be read or names no zip or tar.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as fault:
        raise OptionError(
            f"--expect {path} cannot be read: {fault.strerror}; check the path"
        ) from fault
    files = dict.fromkeys(_parse(map(decode_name, lines)))
    if not files:
        raise OptionError(
            f"--expect {path} names no zip: give the output of aihubshell -mode l -datasetkey 82, "
            "or a file with one name per line"
        )
    return tuple(files)


def _parse(lines: Iterable[str]) -> Iterator[ExpectedFile]:
    for line in lines:
        text = line.strip(_TREE)
        if listed := _LISTED.fullmatch(text):
            yield ExpectedFile(_base_name(listed[1]), listed[2])
        elif _PLAIN.fullmatch(text):
            yield ExpectedFile(_base_name(text))


def missing_files(
    expected: Iterable[ExpectedFile], containers: Collection[str]
) -> tuple[ExpectedFile, ...]:
    """Return the expected files that are not among the containers of an archive.

    A zip is also there if it was unpacked to a folder of its name.
    """
    there = {step.lower() for container in containers for step in container.split("/")}
    return tuple(
        file
        for file in expected
        if not there & {file.name.lower(), file.name.lower().rpartition(".")[0]}
    )


def _base_name(path: str) -> str:
    return decode_path(path.strip().encode("utf-8", "surrogateescape")).rpartition("/")[2]

"""What `tests/release.sh` asks: the commands of a page, and whether wheel and sdist are complete.

python -m tests.released docs/quickstart.md    print its commands as a script of bash
python -m tests.released build/release/dist    compare wheel and sdist with the repository
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.documented import ROOT, Block, blocks

#: What no sdist holds of the repository, and what is written into one or into a wheel.
_LEFT_OUT = (".",)
_WRITTEN = ("PKG-INFO", "setup.cfg", "fertools.egg-info/", "fertools-")


def commands(page: Path) -> str:
    """Return a page's blocks as one script; the script has installed fertools another way."""
    found = [block for block in blocks(page) if "pip install" not in block.code]
    return "\n".join(line for block in found for line in _lines(block))


def _lines(block: Block) -> Iterator[str]:
    if block.language in ("console", "bash"):
        yield from (line.removeprefix("$ ") for line in block.code.splitlines())
    elif block.language == "python":
        yield f"python - <<'END'\n{block.code}END"


def differences(dist: Path) -> list[str]:
    """Return a line for each file that an archive lacks, or that it has and the repository not."""
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    tracked = {name for name in _tracked() if not name.startswith(_LEFT_OUT)}
    package = {name for name in tracked if name.startswith("fertools/")}
    with zipfile.ZipFile(wheel) as archive:
        found = _compare("wheel", archive.namelist(), package)
    with tarfile.open(sdist) as archive:
        files = [member.name.partition("/")[2] for member in archive if member.isfile()]
        return found + _compare("sdist", files, tracked)


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return done.stdout.decode().rstrip("\0").split("\0")


def _compare(what: str, names: list[str], wanted: set[str]) -> list[str]:
    there = {name for name in names if not name.startswith(_WRITTEN)}
    return [f"the {what} lacks {name}" for name in sorted(wanted - there)] + [
        f"the {what} has {name}" for name in sorted(there - wanted)
    ]


if __name__ == "__main__":
    given = Path(sys.argv[1])
    if given.is_dir():
        sys.exit("\n".join(differences(given)) or None)
    print(commands(ROOT / given))

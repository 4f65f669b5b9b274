"""What fertools runs in: environment variables, and the versions of libraries."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Final

#: Raised whenever a change of this code changes a box or the bytes of a crop: finished parts of
#: another number are not used.
PIXELS: Final = 2

#: Installed versions that decide about boxes and the bytes of crops.
_OF_PIXELS: Final = ("numpy", "simplejpeg", "openvino")


@contextmanager
def environment_kept() -> Iterator[None]:
    """Undo what imports change in `os.environ` while the block runs.

    OpenCV prepends a folder to LD_LIBRARY_PATH, joblib sets KMP_INIT_AT_FORK. Nothing in this
    process reads them afterwards, and child processes of the caller should not inherit them.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def pixel_versions() -> dict[str, str]:
    """Return the versions that decide about boxes and the bytes of crops."""
    import cv2

    found = {"crops": str(PIXELS), "opencv": cv2.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    return found | _installed(_OF_PIXELS)


def libraries() -> dict[str, str]:
    """Return the versions that decide about any byte of a dataset: those, and the ledger's."""
    return pixel_versions() | _installed(("pyarrow",))


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def opencv_distributions() -> tuple[str, ...]:
    """Return the names of the installed distributions that contain the module `cv2`, sorted.

    The files decide, not a list of names: conda's OpenCV adds metadata under the names of the PyPI
    distributions, without files, and that is no conflict.
    """
    return tuple(sorted(set(packages_distributions().get("cv2", ()))))


def opencv_warnings() -> tuple[str, ...]:
    """Return a line that names the conflicting distributions and the cure, or nothing."""
    names = opencv_distributions()
    if len(names) < 2:
        return ()
    return (
        f"{' and '.join(names)} are installed together and overwrite each other's files: "
        f"pip uninstall {' '.join(names)}, then pip install 'opencv-python-headless>=4.13,<5'",
    )

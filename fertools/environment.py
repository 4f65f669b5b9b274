"""Restore environment variables, return library versions, and detect conflicting OpenCV packages.

opencv-python, opencv-python-headless and the two opencv-contrib distributions install the same
folder, `cv2`. The distribution that is installed last overwrites files of the others. Then the
metadata do not show which version or build is imported, and removing one distribution removes files
of the others.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Final

#: Increase this number with every change that alters a box or the bytes of a crop: finished
#: parts with another number are not used.
CROP_VERSION: Final = 2

#: Libraries whose versions determine boxes and the bytes of crops.
_CROP_LIBRARIES: Final = ("numpy", "simplejpeg", "openvino")


@contextmanager
def restore_environment() -> Iterator[None]:
    """Restore `os.environ` at the end of the block, because imports in it change variables.

    OpenCV prepends a folder to LD_LIBRARY_PATH, joblib sets KMP_INIT_AT_FORK. This process does not
    read these variables later, and child processes of the caller should not inherit them.
    """
    original = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - original.keys():
            del os.environ[name]
        os.environ.update(original)


def pixel_versions() -> dict[str, str]:
    """Return the versions that determine boxes and the bytes of crops."""
    import cv2

    versions = {"crops": str(CROP_VERSION), "opencv": cv2.__version__}
    versions["zlib"] = zlib.ZLIB_RUNTIME_VERSION
    return versions | _installed(_CROP_LIBRARIES)


def library_versions() -> dict[str, str]:
    """Return the versions that determine the bytes of a dataset, the ledger included."""
    return pixel_versions() | _installed(("pyarrow",))


def _installed(names: Sequence[str]) -> dict[str, str]:
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def opencv_distributions() -> tuple[str, ...]:
    """Return the names of the installed distributions that contain the module `cv2`, sorted.

    A distribution counts only if it installed files of `cv2`. Conda's OpenCV adds metadata under
    the names of the PyPI distributions, without files, and does not conflict with them.
    """
    return _cv2_distributions(tuple(sys.path))


@cache  # it reads the list of files of every installed package: 0.5 s and more
def _cv2_distributions(_path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(packages_distributions().get("cv2", ()))))


def opencv_warnings() -> tuple[str, ...]:
    """Return one warning if several distributions contain `cv2`, else ()."""
    names = opencv_distributions()
    if len(names) < 2:
        return ()
    return (
        f"{' and '.join(names)} are installed together and overwrite each other's files: "
        f"pip uninstall {' '.join(names)}, then pip install 'opencv-python-headless>=4.13,<5'",
    )

"""Environment variables, versions of libraries, imports to avoid, conflicting OpenCV packages.

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
from importlib.abc import MetaPathFinder
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Final

#: Increase this number with every change that alters a box or the bytes of a crop: finished
#: parts with another number are not used.
CROP_VERSION: Final = 2

#: Libraries whose versions determine boxes and the bytes of crops.
_CROP_LIBRARIES: Final = ("numpy", "simplejpeg", "openvino")

#: The distributions that install the folder `cv2`.
_OPENCV: Final = (
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
    "opencv-python",
    "opencv-python-headless",
)


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


class _Barrier(MetaPathFinder):
    """Refuses imports of some modules; put before the finders of Python."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in self._names:
            raise ImportError(f"{fullname} is hidden")


@contextmanager
def hidden_modules(*names: str) -> Iterator[None]:
    """Let imports of these modules in the block raise ImportError, unless they are loaded."""
    # Not None in sys.modules: an import in a module that Cython compiled then returns None.
    barrier = _Barrier(names)
    sys.meta_path.insert(0, barrier)
    try:
        yield
    finally:
        sys.meta_path.remove(barrier)


def spare_pandas() -> None:
    """Import pyarrow so that it does not load pandas in this process, unless pandas is loaded.

    If pandas is installed, pyarrow loads it when it converts its first list, to find out whether
    the list is one of pandas' objects: 0.45 s of CPU and 40 MB a process. It asks only once.
    Afterwards it has no `to_pandas`, so this is for processes in which no one else uses pyarrow.
    """
    with hidden_modules("pandas"):
        import pyarrow as pa

        pa.array([])


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


@cache
def _cv2_distributions(_path: tuple[str, ...]) -> tuple[str, ...]:
    # Not packages_distributions(), which reads the files of every installed package: 0.8 s of CPU.
    return tuple(name for name in _OPENCV if _has_cv2(name))


def _has_cv2(name: str) -> bool:
    with suppress(PackageNotFoundError):
        return any(file.parts[0] == "cv2" for file in distribution(name).files or ())
    return False


def opencv_warnings() -> tuple[str, ...]:
    """Return one warning if several distributions contain `cv2`, else ()."""
    names = opencv_distributions()
    if len(names) < 2:
        return ()
    return (
        f"{' and '.join(names)} are installed together and overwrite each other's files: "
        f"pip uninstall {' '.join(names)}, then pip install 'opencv-python-headless>=4.13,<5'",
    )

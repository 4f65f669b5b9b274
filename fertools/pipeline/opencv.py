"""Detect several OpenCV distributions in one environment.

opencv-python, opencv-python-headless and the two opencv-contrib distributions install the same
folder, `cv2`. The last one overwrites files of the others: neither version nor build of what is
imported follows from the metadata, and removing one removes files of those that stay.
"""

from __future__ import annotations

from importlib.metadata import packages_distributions


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

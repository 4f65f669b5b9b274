"""Environment variables of the caller's process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


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

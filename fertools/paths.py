"""Read the paths that a user writes."""

from __future__ import annotations

import os
from pathlib import Path


def user_path(path: Path | str) -> Path:
    """Return a path with `~` and `~user` replaced by that home folder, where there is one.

    Every public function and the command line take paths through here: a shell expands `~` only
    at the beginning of a word, and Python not at all.
    """
    # Not Path.expanduser, which raises RuntimeError for a user that does not exist.
    return Path(os.path.expanduser(path))  # noqa: PTH111

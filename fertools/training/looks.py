"""The count of evaluations of a split: RUN/looks.csv, a line for each.

Who looks at test again and chooses by it needs new people for an honest figure. So the count is
kept apart from the figures, and `train --no-resume` leaves it there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from fertools.training.files import cannot_write

LOOKS: Final = "looks.csv"

_HEAD: Final = "split,manifest,weights\n"


def count_look(run: Path, split: str, manifest: str, weights: str) -> int:
    """Add a look at a split of a dataset, and return how many there are by now.

    manifest   SHA-256 of the dataset's manifest
    weights    SHA-256 of the weights that were evaluated

    Lines are only ever appended, under a lock: evaluations side by side all count.
    """
    path = run / LOOKS
    try:
        with path.open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):  # a power cut took its end
                file.write("\n")
            file.write(("" if lines else _HEAD) + f"{split},{manifest},{weights}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    return 1 + sum(line.startswith(f"{split},{manifest},") for line in lines)

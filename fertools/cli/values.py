"""Types of values that several commands take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from fertools.options import user_path


class _UserPath(click.Path):
    """A path as a user writes it, with `~` for the home folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path with `~` expanded: a shell leaves it as it is in `--split-file=~/x`."""
        return user_path(os.fsdecode(super().convert(value, param, ctx)))


#: Any path; whether something is there is the command's own question.
PATH = _UserPath(path_type=Path)

"""Remove what a build has left in OUT/.fertools and no build of its options needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fertools.errors import DatasetError, printable
from fertools.paths import user_path
from fertools.pipeline.workplace import Workplace


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What `clean` removed, and how many bytes of finished faces are kept."""

    out: Path
    files: int
    freed: int
    kept: int

    def text(self) -> str:
        """Return it as a line."""
        return (
            f"{printable(str(self.out))}: {self.files:,} files removed, "
            f"{self.freed / 1e6:,.1f} MB; "
            f"{self.kept / 1e6:,.1f} MB of finished faces kept"
        )


def clean(out: Path | str) -> CleanReport:
    """Remove the faces of other options, versions and photos than those of the last build of OUT.

    Raises DatasetError where `out` holds no build, OutputError where one is running.
    """
    place = Workplace(user_path(out))
    if not place.plan.is_file():
        raise DatasetError(f"{place.out} holds nothing that a build has left: give a dataset's OUT")
    with place.lock():
        # Without a manifest a build was interrupted, and its finished shards are still needed.
        stages = place.stages.glob("*/*") if place.manifest.is_file() else ()
        spare = [*place.spare_parts(), *stages]
        freed = sum(path.stat().st_size for path in spare)
        for path in spare:
            path.unlink(missing_ok=True)
        kept = sum(path.stat().st_size for path in place.parts.iterdir())
    return CleanReport(place.out, len(spare), freed, kept)

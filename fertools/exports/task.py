"""Export one unit: read its examples, write its files, record that they are finished.

A build that writes another dataset into OUT removes the manifest before it replaces a shard. So a
unit is of the manifest's dataset if the manifest is the same afterwards.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fertools.dataset.manifest import MANIFEST
from fertools.dataset.random_access import open_dataset
from fertools.errors import DatasetError
from fertools.exports.destination import Destination, Sums
from fertools.exports.formats import FORMATS
from fertools.exports.plan import Unit
from fertools.files import sha256_of
from fertools.options import DatasetFormat


@dataclass(frozen=True, slots=True)
class ExportTask:
    """The task of a worker that exports one unit of the dataset in `out`."""

    out: Path
    destination: Destination
    to: DatasetFormat
    unit: Unit

    def __call__(self) -> tuple[Unit, Sums]:
        """Write the unit; return it with the SHA-256 of its files.

        Each record's checksums are checked. Raises DatasetError for damage and if the dataset has
        become another, OutputError if the system cannot write.
        """
        source = open_dataset(self.out, self.unit.split)
        examples = map(source.example, range(self.unit.start, self.unit.stop))
        sums = FORMATS[self.to].write(self.destination.files, self.unit, examples, source.manifest)
        self._check_unchanged()
        self.destination.finish_unit(self.unit.name, sums)
        return self.unit, sums

    def _check_unchanged(self) -> None:
        with suppress(OSError):
            if sha256_of(self.out / MANIFEST) == self.destination.about["manifest"]:
                return
        raise DatasetError(f"{self.out} was changed while it was exported: export it again")

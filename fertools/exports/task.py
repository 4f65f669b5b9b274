"""Export one unit: read its examples, write its files, record that they are finished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fertools.dataset.random_access import open_dataset
from fertools.exports.destination import Destination, Sums
from fertools.exports.formats import FORMATS
from fertools.exports.plan import Unit
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

        Each record's checksums are checked. Raises DatasetError for damage, OutputError if the
        system cannot write.
        """
        source = open_dataset(self.out, self.unit.split)
        examples = map(source.example, range(self.unit.start, self.unit.stop))
        sums = FORMATS[self.to].write(self.destination.files, self.unit, examples, source.manifest)
        self.destination.finish_unit(self.unit.name, sums)
        return self.unit, sums

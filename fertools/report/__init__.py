"""What a person looks at: tables in plain text."""

from fertools.report.census import Census
from fertools.report.dataset import DatasetReport
from fertools.report.table import table

__all__ = ["Census", "DatasetReport", "table"]

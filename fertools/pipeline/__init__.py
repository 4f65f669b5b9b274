"""From an archive to a dataset, and back to the question whether it is still one."""

from fertools.pipeline.audit import Verdict, verify
from fertools.pipeline.census import stats
from fertools.pipeline.cleaning import CleanReport, clean
from fertools.pipeline.dataset import build_dataset, build_parts
from fertools.pipeline.options import BuildOptions

__all__ = [
    "BuildOptions",
    "CleanReport",
    "Verdict",
    "build_dataset",
    "build_parts",
    "clean",
    "stats",
    "verify",
]

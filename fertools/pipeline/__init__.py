"""The only place where the rooms meet: scan, label, look, divide, assemble."""

from fertools.pipeline.audit import Verdict, verify
from fertools.pipeline.census import stats
from fertools.pipeline.dataset import build_dataset, build_parts
from fertools.pipeline.options import BuildOptions

__all__ = ["BuildOptions", "Verdict", "build_dataset", "build_parts", "stats", "verify"]

"""The only place where the rooms meet: scan, label, look, divide, assemble."""

from fertools.build.audit import Verdict, verify
from fertools.build.census import stats
from fertools.build.dataset import build_dataset
from fertools.build.options import BuildOptions

__all__ = ["BuildOptions", "Verdict", "build_dataset", "stats", "verify"]

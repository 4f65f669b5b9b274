"""The only place where the rooms meet: scan, label, look, divide, assemble."""

from fertools.build.census import stats
from fertools.build.dataset import build_dataset
from fertools.build.options import BuildOptions

__all__ = ["BuildOptions", "build_dataset", "stats"]

"""Check the arguments of a build, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from fertools.checking import split_keywords, user_path
from fertools.dataset.manifest import check_archive
from fertools.environment import library_versions
from fertools.errors import OptionError
from fertools.faces.detectors import Detector, check_detector, name_detector
from fertools.faces.detectors.base import resolve_precision, resolve_runtime
from fertools.options import BuildOptions, RunOptions
from fertools.pipeline.build_dir import BuildDir


@dataclass(frozen=True)
class Request:
    """The arguments of a build, checked; `detector` is one that was given as a Python object."""

    source: Path
    build_dir: BuildDir
    options: BuildOptions
    run: RunOptions
    detector: Detector | None

    @classmethod
    def of(
        cls,
        src: Path | str,
        out: Path | str,
        options: Mapping[str, Any],
        detector: Detector | str | None,
    ) -> Request:
        """Check options and paths. Raises OptionError, SourceError, OutputError."""
        if isinstance(detector, str):
            options, detector = {**options, "detector": detector}, None
        checked, run = split_keywords(options, BuildOptions, RunOptions)
        detector = None if detector is None else check_detector(detector)
        if detector and not checked.faces.detect:
            raise OptionError("detector= has no effect with --no-detect: leave one of them out")
        source, build_dir = user_path(src), BuildDir(user_path(out))
        if run.dask:  # the working folder of a cluster's node is another one
            source, build_dir = source.absolute(), BuildDir(build_dir.out.absolute())
        check_archive(source)
        build_dir.check(source)
        if detector is None and checked.faces.precision == "auto":
            # Before any part is named: `auto` on another machine may be another precision.
            faces = replace(checked.faces, precision=resolve_precision(checked.faces))
            checked = replace(checked, faces=faces)
        return cls(source, build_dir, checked, run, detector)

    @cached_property
    def detector_name(self) -> str:
        return self.detector.name if self.detector else name_detector(self.options.faces)

    @cached_property
    def libraries(self) -> dict[str, str]:
        """The versions that decide about any byte, and the detector's name."""
        return library_versions() | {"network": self.detector_name}

    @cached_property
    def resolved_faces(self) -> dict[str, Any]:
        """The face options without `auto`."""
        faces = self.options.faces
        return asdict(faces) | {
            "detector": self.detector.name if self.detector else faces.detector,
            "runtime": resolve_runtime(faces.runtime),
        }

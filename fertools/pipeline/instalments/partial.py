"""Process the part of an archive that is there, and report what was seen of it."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Unpack

import pyarrow as pa
import pyarrow.ipc

from fertools.archive.scan import scan
from fertools.console import table
from fertools.environment import opencv_warnings
from fertools.errors import DatasetError, OptionError, printable
from fertools.faces.detectors import Detector
from fertools.keywords import BuildKeywords
from fertools.options import DetectorName
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.extraction import workers
from fertools.pipeline.instalments.merge import merge, store_seen
from fertools.pipeline.instalments.seen import SeenContainer, SeenStore
from fertools.pipeline.labelling.catalog import (
    check_boxes,
    read_annotations,
    unreadable_source,
)
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.plan import PLAN_FAULTS, planned_names
from fertools.pipeline.request import Request
from fertools.workers.tasks import worker_warnings


def build_partial(
    src: Path | str,
    out: Path | str,
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[BuildKeywords],
) -> SeenReport:
    """Find and keep the faces of what is there of an archive; assemble nothing.

    Afterwards what was there may be deleted, and the rest put there: each call adds to what was
    seen. `build_dataset`, with the same arguments, then assembles a dataset of all that was seen.
    All photos are processed, whatever their classes. The arguments are `build_dataset`'s, and it
    raises the same.
    """
    request = Request.of(src, out, options, detector)
    build_dir, overwrite = request.build_dir, request.run.overwrite
    scanned = time.time_ns()
    if request.options.source.layout.pattern:
        raise OptionError(
            "--partial reads AI-Hub's archive and class folders only: leave out --preset, "
            "--pattern and --table, and give build-dataset the whole set"
        )
    found = scan(request.source, photos_needed=False)
    if found.faults and not request.run.accept_unreadable:
        raise unreadable_source(found.faults)
    build_dir.create()
    store = SeenStore(build_dir.seen)
    with build_dir.lock():
        archive = merge(found.members, store, overwrite=overwrite)
        if not archive.is_useful:
            scan(request.source)  # raises the error that says what is there instead
        warnings = [*found.faults, *found.warnings, *archive.warnings, *opencv_warnings()]
        faces = {"options": request.resolved_faces, "libraries": request.libraries}
        warnings += build_dir.check_faces(faces, overwrite=overwrite)
        store_seen(archive, store, request)
        annotations, _ = read_annotations(
            request.source,
            archive.members,
            accept_unreadable=request.run.accept_unreadable,
            kept=archive.label_files,
        )
        check_boxes(annotations, archive.members.photo_keys, request.options.faces)
        extraction = archive.extraction(request, annotations, scanned)
        plan = extraction.plan()
        plan.write()
        with workers(request, archive.there):
            processed, lost = extraction.process_present(plan, range(len(plan.files)))
        warnings += [*processed, *(f"{line}: put it there again" for line in lost)]
        warnings += worker_warnings()
    return replace(seen_report(build_dir.out), warnings=tuple(dict.fromkeys(warnings)))


_HEAD: Final = ("zip", "photos", "done", "label files")

#: The row of photos outside of zips.
_LOOSE: Final = "(not in zips)"


@dataclass(frozen=True, slots=True)
class SeenZip:
    """One zip or tar that was seen: its photos, those of them that are done, its label files."""

    name: str
    photos: int
    done: int
    label_files: int


@dataclass(frozen=True, slots=True)
class SeenReport:
    """What was seen of an archive that comes in instalments.

    containers   zips and tars by name; photos outside of them are one row
    missing      files of a list that were not seen; () without a list
    """

    out: Path
    containers: tuple[SeenZip, ...]
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: ClassVar[tuple[str, ...]] = ()  # as of what `stats` returns else

    @property
    def complete(self) -> bool:
        """Whether all faces of all that was seen are found."""
        return all(seen.done == seen.photos for seen in self.containers)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"out": str(self.out)}

    def csv(self) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_HEAD, *map(astuple, self.containers)])
        return text.getvalue()

    def text(self) -> str:
        photos, done = (
            sum(getattr(seen, name) for seen in self.containers) for name in ("photos", "done")
        )
        blocks = [
            f"{self.out}: {done:,} of the {photos:,} photos that were seen are done",
            table(_HEAD, [*map(astuple, self.containers)]),
        ]
        if self.missing:
            names = "\n".join(f"  {printable(name)}" for name in self.missing)
            blocks.append(f"{len(self.missing):,} files of the list were not seen:\n{names}")
        if self.complete:
            blocks.append(
                "zips of which all photos are done may be deleted; when all were seen, the same "
                "command without --partial assembles the dataset"
            )
        lines = [f"warning: {printable(warning)}" for warning in self.warnings]
        return "\n\n".join([*blocks, *(["\n".join(lines)] if lines else [])])


def seen_report(out: Path) -> SeenReport:
    """Return what was seen, from the files in OUT/.fertools.

    Raises DatasetError if OUT is not built in instalments.
    """
    build_dir = BuildDir(out)
    containers, damaged = SeenStore(build_dir.seen).read()
    if not containers and not damaged:
        raise DatasetError(
            f"{out} was not begun with --partial, so nothing is known of zips that are gone: "
            "give a folder that was, or the archive"
        )
    done = _done_photos(build_dir)
    zips = [
        _seen_zip(seen, seen.container, done.pop(seen.container, 0))
        for seen in sorted(containers.values(), key=lambda seen: seen.container)
        if seen.path
    ]
    if (loose := containers.get(b"")) and len(loose.photos):
        zips.append(_seen_zip(loose, _LOOSE, done.total()))
    warnings = tuple(f"{file} is damaged" for file in damaged)
    return SeenReport(out, tuple(zips), warnings=warnings)


def _seen_zip(seen: SeenContainer, name: str, done: int) -> SeenZip:
    return SeenZip(name, len(seen.photos), done, len(seen.label_files))


def _done_photos(build_dir: BuildDir) -> Counter[str]:
    """Count the photos of finished parts by container."""
    done: Counter[str] = Counter()
    try:
        with pa.memory_map(str(build_dir.plan)) as source:
            plan = pa.ipc.open_file(source)
            for number, name in enumerate(planned_names(build_dir.plan)):
                batch = plan.get_batch(number)
                if PartFiles(build_dir.parts, name).done:
                    done[batch["container"][0].as_py()] += len(batch)
    except PLAN_FAULTS:
        return done
    return done

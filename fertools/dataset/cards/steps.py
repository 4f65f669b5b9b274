"""Describe how a dataset was made: the steps of its build, with their options in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fertools.dataset.manifest import Manifest

_CHOICE: Final = {
    "largest": "the largest face",
    "best": "the most confident face",
    "reject": "none: such photos are dropped",
}


def steps(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the steps of the build, each with what was chosen for it, in words.

    metadata.json has all options; this is what the pixels, labels and splits depend on.
    """
    options = manifest.options
    yield "labels", f"{manifest.rule or options.get('labels', 'not recorded')}"
    if changed := [*options.get("rename", ()), *(f"without {c}" for c in options.get("drop", ()))]:
        yield "classes changed", ", ".join(map(str, changed))
    yield "faces", _detection(manifest)
    yield "crops", _crop(manifest)
    yield "images", _encoding(manifest)
    yield "splits", _splitting(manifest)
    yield "duplicates", _duplicates(options)
    if manifest.proof.augmented:
        copies = f"{manifest.proof.augmented:,} augmented copies, all in train"
        yield "augmentation", f"{copies}: rotation, shift, shear, zoom, flip, noise, stretch"
    versions = (f"{name} {version}" for name, version in sorted(manifest.libraries.items()))
    yield "versions", f"fertools {manifest.fertools}, {', '.join(versions)}"


def detector(manifest: Manifest) -> str:
    """Name what found the faces, and its weights; "" if nothing was looked for."""
    options = manifest.options
    if not (options.get("detect", True) and options.get("compare", True)):
        return ""
    network = manifest.libraries.get("network", options.get("detector", "not recorded"))
    return f"{options.get('detector', 'a detector')} ({network}, {options.get('precision', 'f32')})"


def _detection(manifest: Manifest) -> str:
    options, name = manifest.options, detector(manifest)
    if not options.get("detect", True):
        return "not looked for: the photos are crops of faces already"
    if not name:
        return "not looked for: the annotators' boxes are taken"
    least = options.get("min_confidence", 0.5)
    choice = _CHOICE.get(options.get("on_many", "largest"), "not recorded")
    return f"detector {name}, confidence at least {least}; of several {choice}"


def _crop(manifest: Manifest) -> str:
    options, size = manifest.options, manifest.image.size
    margin = options.get("margin", 0)
    box = "the annotators' box" if options.get("detector") == "aihub" else "the detector's box"
    words = [
        box if options.get("detect", True) else "the whole picture",
        f"widened by {margin} of its longer side on each side" if margin else "",
        "made square" if options.get("square") else "",
        "eyes level" if options.get("align") else "",
        f"{'resized' if options.get('square') else 'stretched'} to {size} × {size}",
    ]
    return ", ".join(filter(None, words))


def _encoding(manifest: Manifest) -> str:
    options, kind = manifest.options, manifest.image.format.upper()
    quality = f" of quality {options.get('jpeg_quality')}" if kind == "JPEG" else ""
    decoded = "in full" if options.get("exact") else "at the smallest size needed"
    decoded += ", no further than the crop" if options.get("stop_at_chin") else ""
    return f"turned upright by EXIF, decoded {decoded}, gray, {kind}{quality}"


def _splitting(manifest: Manifest) -> str:
    options = manifest.options
    ratio, seed = options.get("split", "not recorded"), options.get("seed", 0)
    if options.get("split_file"):
        return "as a split file states"
    if ratio == "official":
        return f"the archive's own halves; its training half divided by person, seed {seed}"
    by = "photo, so that people are shared" if options.get("split_by") == "image" else "person"
    if manifest.unknown_people >= manifest.counts.kept:
        by = "photo (no person is known)"
    return f"{ratio} (train/validation/test) by {by}, each class in this ratio; seed {seed}"


def _duplicates(options: dict[str, Any]) -> str:
    kept = "all but the first dropped" if options.get("duplicates") == "drop" else "kept"
    caps = [
        f"; at most {options[name]} photos of a {word}"
        for name, word in (("max_per_subject", "person"), ("max_per_class", "class"))
        if options.get(name)
    ]
    shared = "the same bytes" if options.get("stop_at_chin") else "a picture"
    return f"{kept}; people who share {shared} are in one split{''.join(caps)}"

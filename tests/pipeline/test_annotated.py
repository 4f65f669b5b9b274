"""Builds from annotators' boxes without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.dataset.report import DatasetReport
from fertools.errors import OptionError
from fertools.inspection.counts.dataset import DatasetStats
from tests.faces.bytes_of import encoded
from tests.fakes import photo_name, write_archive
from tests.labels.label_json import entry, label_file

BLIND: dict[str, Any] = {"detector": "aihub", "compare": False, "size": 8}
RUN: dict[str, Any] = {"quiet": True, "jobs": 1}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Return an archive of ten people whose first photo in 기쁨 has no label record."""
    source = write_archive(tmp_path / "src", shots=1)
    names = sorted(path.name for path in source.rglob("*.jpg"))
    names.remove(photo_name(0, "기쁨", 0))
    records = (entry(name, boxes=[(10, 8, 40, 30)] * 3) for name in names)
    (source / "labels.json").write_bytes(label_file(*records))
    return source


def build(source: Path, out: Path, **options: Any) -> DatasetReport:
    report = fertools.build_dataset(source, out, **BLIND | RUN | options)
    assert fertools.verify(out, source, quiet=True).ok
    return report


def test_every_box_is_a_face_and_a_photo_without_one_has_a_reason(
    labelled: Path, tmp_path: Path
) -> None:
    report = build(labelled, tmp_path / "out")
    assert report.manifest.libraries["network"] == "none: annotators' boxes"
    assert report.manifest.counts.dropped == {"no_face": 1, "label_file": 1}
    for row in pq.read_table(tmp_path / "out/ledger.parquet").to_pylist():
        if row["outcome"] == "kept":
            box = tuple(row[side] for side in ("x0", "y0", "x1", "y1"))
            assert (box, row["confidence"], row["faces"]) == ((10, 8, 40, 30), 1, 1)
        if row["outcome"] == "no_face":
            assert row["detail"] == "no box of annotators, and --no-compare runs no network"
        assert row["iou"] is None
    stats = fertools.stats(tmp_path / "out")
    assert isinstance(stats, DatasetStats)
    assert stats.counted is not None
    assert (stats.counted.ious, stats.counted.faces_each) == (None, {"1": 29})
    fertools.report(tmp_path / "out", tmp_path / "report.html", quiet=True)


def test_stopping_at_the_chin_changes_no_shard_but_finds_fewer_copies(
    labelled: Path, tmp_path: Path
) -> None:
    reports = [
        build(labelled, tmp_path / name, stop_at_chin=name == "stopped")
        for name in ("whole", "stopped")
    ]
    whole, stopped = (report.manifest for report in reports)
    assert whole.splits == stopped.splits
    line = "--stop-at-chin: copies of a picture were found byte for byte only"
    assert stopped.warnings == (*whole.warnings, line)
    for report in reports:
        text, stop = (report.out / "README.md").read_text("utf-8"), report.manifest is stopped
        assert "| faces | not looked for: the annotators' boxes are taken |" in text
        assert "the annotators' box, stretched to 8 × 8" in text
        assert ("no further than the crop" in text) is stop
        assert ("people who share the same bytes are in one split" in text) is stop


def test_a_copy_in_other_bytes_is_found_only_in_whole_photos(
    labelled: Path, tmp_path: Path
) -> None:
    photos = sorted(labelled.rglob("*_기쁨_*.jpg"))
    image = cv2.imdecode(np.frombuffer(photos[1].read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    photos[2].write_bytes(encoded(".jpg", np.asarray(image, np.uint8)))
    assert build(labelled, tmp_path / "whole").manifest.proof.ties == 1
    assert build(labelled, tmp_path / "stopped", stop_at_chin=True).manifest.proof.ties == 0


def test_a_preview_shows_whole_photos(labelled: Path, tmp_path: Path) -> None:
    shown = [
        fertools.preview(labelled, tmp_path / "p.png", **BLIND, stop_at_chin=stop).tiles
        for stop in (False, True)
    ]
    for whole, stopped in zip(*shown, strict=True):
        assert whole.fate == stopped.fate
        assert np.array_equal(whole.photo, stopped.photo)


def test_without_any_box_no_photo_is_read(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    with pytest.raises(OptionError, match="no photo has a box in one: add"):
        build(source, tmp_path / "out")
    assert not (tmp_path / "out").exists(), "so the same command works with label files"
    with pytest.raises(OptionError, match="--no-compare needs label files"):
        fertools.build_partial(source, tmp_path / "partial", **BLIND | RUN)

"""What lies in OUT/.fertools may be damaged, removed or of another version: a build continues."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.dataset.index import INDICES, index_name
from fertools.dataset.report import DatasetReport
from fertools.dataset.tfrecord import RecordWriter
from fertools.errors import DatasetError, FertoolsError, OutputError
from fertools.pipeline import assemble, publish, request
from fertools.pipeline import build as dataset
from fertools.pipeline.parts import (
    ROWS,
    DamagedPart,
    PartFiles,
    PartWriter,
    is_damaged,
    open_part,
    read_crop,
    read_table,
    read_thumbnails,
)
from fertools.workers import tasks as engine
from tests.fakes import BrightSpot, photo_name, write_archive
from tests.faults.history import digests


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("healing") / "src", people=6)


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    """A dataset, never written to."""
    out = source.parent / "built"
    build(source, out)
    return out


@pytest.fixture(scope="module")
def other(source: Path) -> dict[str, str]:
    """The bytes of the same with another seed, from an undisturbed build."""
    out = source.parent / "other"
    build(source, out, seed=9)
    return digests(out)


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "out"))


def build(source: Path, out: Path, **options: Any) -> DatasetReport:
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    return fertools.build_dataset(source, out, **look | options)


def flip(path: Path, at: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def kinds(out: Path) -> dict[str, list[Path]]:
    """Sort the files of OUT that have bytes by what they are."""
    found: dict[str, list[Path]] = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.stat().st_size:
            kind = path.suffix if path.parent.name == "parts" else path.name
            found.setdefault(kind, []).append(path)
    return found


@pytest.mark.parametrize("each", [2, pytest.param(14, marks=pytest.mark.slow)])
def test_a_flipped_byte_anywhere_costs_no_more_than_the_part(
    source: Path, built: Path, other: dict[str, str], tmp_path: Path, each: int
) -> None:
    """V13: then the same command with another seed. At least 200 places in the slow run."""
    dice, places = random.Random(3), 0
    for paths in kinds(built).values():
        for n in range(each):
            whole = dice.choice(paths)
            out = Path(shutil.copytree(built, tmp_path / "out"))
            spoilt = out / whole.relative_to(built)
            last = spoilt.stat().st_size - 1
            flip(spoilt, (0, last)[n] if n < 2 else dice.randint(0, last), dice.randrange(8))
            try:
                build(source, out, seed=9, overwrite=True)
            except FertoolsError as fault:
                pytest.fail(f"{spoilt.name}: {fault}")
            assert digests(out) == other, spoilt.name
            assert fertools.verify(out, quiet=True).ok, spoilt.name
            shutil.rmtree(out)
            places += 1
    assert places >= (200 if each > 2 else 30)


def test_damaged_crops_are_made_again_with_a_line_that_says_so(
    source: Path, out: Path, other: dict[str, str]
) -> None:
    crops = kinds(out)[".part"]
    flip(crops[0], 40, 0)
    flip(crops[-1], 50, 3)
    report = build(source, out, seed=9, overwrite=True)
    assert digests(out) == other
    (line,) = [line for line in report.warnings if "damaged" in line]
    assert line.startswith("2 of 9 parts in ")
    assert line not in report.manifest.warnings  # it is no property of the dataset


def test_damaged_thumbnails_are_made_again(tmp_path: Path) -> None:
    """They are read only where two photos may be copies of one picture."""
    source, out = write_archive(tmp_path / "src", people=4), tmp_path / "out"
    first = sorted(source.rglob("*.jpg"))[0]
    picture = np.asarray(cv2.imdecode(np.frombuffer(first.read_bytes(), np.uint8), 1), np.uint8)
    again = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    (first.parent / photo_name(77, "기쁨", 3)).write_bytes(again)
    assert build(source, out).manifest.proof.ties == 1
    for path in kinds(out)[".part"]:
        flip(path, path.stat().st_size - 2000, 0)
    report = build(source, out, seed=9, overwrite=True)
    assert report.manifest.proof.ties == 1
    build(source, tmp_path / "fresh", seed=9)
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_crop_of_another_writing_is_not_taken(source: Path, out: Path) -> None:
    """Two crops of one length that have changed places: every checksum of the file is right."""
    path = kinds(out)[".part"][0]
    files = PartFiles(path.parent, path.stem)
    rows = read_table(files).to_pylist()
    with open_part(files) as file:
        crops = [read_crop(files, file, row["offset"], row["length"], row["crc"]) for row in rows]
    pictures = read_thumbnails(files)
    with path.open("wb") as spoilt:
        writer = PartWriter(spoilt, len(rows))
        for number, row in enumerate(rows):
            writer.add(number, dict(row), crops[number - 1], bytes(pictures[number]))
        own = writer.finish()
        for row, old in zip(own, rows, strict=True):
            row["crc"] = old["crc"]
    with path.open("wb") as spoilt:
        records = RecordWriter(spoilt)
        for crop in (crops[-1], *crops[:-1]):
            records.write(crop)
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(own, schema=ROWS), sink)
        at = records.write(sink.getvalue())
        behind = records.write(pictures.tobytes())
        records.write(struct.pack("<QQ", at.offset, behind.offset))
    assert is_damaged(files)
    report = build(source, out, seed=9, overwrite=True)
    assert any("damaged: made again" in line for line in report.warnings)
    assert fertools.verify(out, quiet=True).ok


def test_a_part_that_is_damaged_whenever_it_is_written_ends_in_one_line(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> Any:
        raise DamagedPart(kinds(out)[".part"][0].stem, "it has no footer")

    monkeypatch.setattr(dataset, "pack_rows", damaged)
    with pytest.raises(DatasetError, match=r"is damaged again .*check the disk"):
        build(source, out, seed=9, overwrite=True)


def test_a_part_that_may_not_be_read_is_no_damaged_one(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(out / ".fertools" / "parts")
    real = Path.open

    def refused(path: Path, *given: Any, **named: Any) -> Any:
        if path.suffix == ".part":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *given, **named)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(OutputError, match=r"\.part cannot be read, Permission denied"):
        build(source, out, seed=9, overwrite=True)
    monkeypatch.undo()
    assert digests(out / ".fertools" / "parts") == before


def test_a_damaged_plan_is_one_line_where_options_differ(source: Path, out: Path) -> None:
    plan = out / ".fertools" / "plan.arrow"
    whole = plan.read_bytes()
    for at in range(8, len(whole), 997):
        plan.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        with pytest.raises(OutputError, match=r"seed 0 \(now 9\)"):
            build(source, out, seed=9)


def test_an_out_that_cannot_be_named_is_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long: give another OUT"):
        build(source, tmp_path / ("x" * 300))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError):
        build(source, tmp_path / "loop")


def test_a_damaged_manifest_is_written_again(source: Path, built: Path, out: Path) -> None:
    flip(out / "metadata.json", 100, 1)
    report = build(source, out)
    assert digests(out) == digests(built)
    assert any("metadata.json was damaged" in line for line in report.warnings)


def test_the_folder_of_a_complete_dataset_may_be_removed(
    source: Path, built: Path, out: Path
) -> None:
    """V16: to save disk."""
    shutil.rmtree(out / ".fertools")
    before = digests(out)
    build(source, out)
    assert digests(out) == before
    assert not list((out / ".fertools").rglob("*.part"))  # nothing was made again
    shutil.rmtree(out / ".fertools")
    with pytest.raises(OutputError, match=r"seed 0 \(now 3\)"):
        build(source, out, seed=3)
    build(source, out, seed=9, overwrite=True)
    assert fertools.verify(out, source, quiet=True).ok


def test_shards_of_another_plan_are_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V4: raw images make shards of one size, whatever the seed."""
    source = write_archive(tmp_path / "src", people=20)
    options = {"image_format": "raw", "shard_size": "1MB"}

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    out, real = tmp_path / "out", publish.publish
    for seed in (0, 1):
        monkeypatch.setattr(dataset, "publish", kill)
        with pytest.raises(Killed):
            build(source, out, seed=seed, overwrite=True, **options)
    monkeypatch.setattr(dataset, "publish", real)
    build(source, out, seed=0, overwrite=True, **options)
    assert fertools.verify(out, quiet=True).ok
    build(source, tmp_path / "fresh", seed=0, **options)
    assert digests(out) == digests(tmp_path / "fresh")


def test_an_index_that_is_lost_before_the_manifest_is_written_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards and indices were moved to OUT, the manifest not written."""

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(dataset, "publish", kill)
        build(source, out)
    lost, cut = sorted(out.glob(INDICES))[:2]
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    (out / "faces-train.idx-00000-of-00099").touch()
    build(source, out)
    assert fertools.verify(out, quiet=True).notes == ()
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_indices_are_renewed_with_their_shards(source: Path, out: Path) -> None:
    before = {path.name: path.read_bytes() for path in out.glob(INDICES)}
    build(source, out, seed=9, shard_size="2KB", overwrite=True)
    after = {path.name for path in out.glob(INDICES)}
    shards = {path.name for path in out.glob("*.tfrecord-*")}
    assert after == set(map(index_name, shards)) != set(before)
    assert fertools.verify(out, quiet=True).ok


def test_a_shard_that_is_nowhere_is_not_vouched_for(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V16: an error, not a manifest."""
    real = engine.run_tasks

    def losing(tasks: Any, *given: Any, **named: Any) -> Any:
        for shard in real(tasks, *given, **named):
            for path in out.glob(".fertools/shards/*/*.tfrecord-*"):
                path.unlink()
            yield shard

    monkeypatch.setattr(assemble, "run_tasks", losing)
    with pytest.raises(OutputError, match="is missing or incomplete after it was written"):
        build(source, out, seed=9, overwrite=True)
    assert not (out / "metadata.json").exists()


def test_parts_that_no_option_needs_are_named_and_cleaned(
    source: Path, built: Path, out: Path
) -> None:
    """A12."""
    report = build(source, out, size=24, overwrite=True)
    (line,) = [line for line in report.warnings if "fertools clean" in line]
    assert " of other options, versions or photos" in line
    parts = list((out / ".fertools" / "parts").iterdir())
    cleaned = fertools.clean(out)
    assert cleaned.files == len(parts) / 2
    assert cleaned.freed > 0
    assert cleaned.kept > 0
    assert not [line for line in build(source, out, size=24).warnings if "fertools clean" in line]
    build(source, out, size=24, seed=4, overwrite=True)
    assert fertools.clean(out).files == 0
    with pytest.raises(FertoolsError, match="holds nothing"):
        fertools.clean(source)


def test_clean_removes_the_folds_of_suspects(built: Path, out: Path) -> None:
    folder = out / ".fertools" / "folds" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "fold-0.npy").write_bytes(b"probabilities")
    cleaned = fertools.clean(out)
    assert (cleaned.files, cleaned.freed) == (1, 13)
    assert not folder.parent.exists()


def test_a_list_of_suspects_is_not_foreign(built: Path, out: Path) -> None:
    (out / "suspects.csv").write_text("key,label,suggested,quality\n", "utf-8")
    found = fertools.verify(out, quiet=True)
    assert (found.ok, found.notes) == (True, ())


def test_the_names_of_parts_do_not_cover_what_decides_nothing(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R8: an upgrade of Python or pyarrow in mid-build costs nothing."""
    before = {path.name for path in kinds(out)[".part"]}
    monkeypatch.setattr(request, "library_versions", lambda: {"crops": "2", "pyarrow": "99"})
    with pytest.raises(OutputError, match=r"pyarrow \S+ \(now 99\)"):
        build(source, out)
    report = build(source, out, overwrite=True)
    assert {path.name for path in kinds(out)[".part"]} == before
    assert report.manifest.libraries["pyarrow"] == "99"
    assert "python" not in report.manifest.libraries


def as_010(out: Path, lose: int) -> None:
    """Turn OUT into what 0.1.0 wrote, with photos that it could not read and did not try again."""
    manifest = json.loads((out / "metadata.json").read_bytes())
    for libraries in (manifest["libraries"],):
        libraries.pop("crops")
        libraries |= {"python": "3.11.0", "fertools": "0.1.0"}
    manifest["options"].pop("salt_file")
    manifest.pop("warnings")
    manifest.pop("unread")
    ledger = pq.read_table(out / "ledger.parquet")
    columns = {name: ledger[name].to_pylist() for name in ("outcome", "detail")}
    for row, (outcome, detail) in enumerate(
        [
            ("changed", "the file was written to since the scan"),
            ("unreadable", "Input/output error"),
        ]
        * (lose // 2)
    ):
        columns["outcome"][row], columns["detail"][row] = outcome, detail
    for name, values in columns.items():
        ledger = ledger.set_column(ledger.column_names.index(name), name, [values])
    pq.write_table(ledger, out / "ledger.parquet")
    kept = manifest["counts"]["kept"]
    manifest["counts"]["dropped"] = {"changed": lose // 2, "unreadable": lose // 2} if lose else {}
    manifest["counts"]["members"] = kept + lose
    manifest["ledger"]["rows"] = kept + lose
    (out / "metadata.json").write_text(json.dumps(manifest))
    begun = {
        "options": manifest["options"],
        "libraries": manifest["libraries"],
        "source": {"fingerprint": manifest["source"], "members": kept},
    }
    (out / ".fertools" / "build.json").write_text(json.dumps(begun))


def test_a_dataset_of_an_older_version_that_lost_photos_is_built_again(
    source: Path, built: Path, out: Path
) -> None:
    as_010(out, 4)
    report = build(source, out)
    assert any(
        line.startswith("4 files of the archive could not be read when this dataset")
        for line in report.warnings
    )
    assert Counter(pq.read_table(out / "ledger.parquet")["outcome"].to_pylist()) == {"kept": 36}
    assert digests(out) == digests(built)


def test_a_dataset_of_an_older_version_that_lost_nothing_is_left_as_it_is(
    source: Path, out: Path
) -> None:
    as_010(out, 0)
    before = digests(out)
    report = build(source, out)
    assert digests(out) == before
    assert report.warnings == report.manifest.warnings

"""An archive that changes: while it is read, and between an interruption and going on."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fertools
from fertools.archive import folder as files
from fertools.archive import reader
from fertools.archive.scan import scan
from fertools.data import Face
from fertools.dataset.manifest import Manifest
from fertools.errors import FertoolsError, OutputError, SourceError
from fertools.pipeline import extraction
from fertools.pipeline.plan import Parts, PartsPlan
from tests.archive.rawzip import Item, write_zip
from tests.fakes import BrightSpot, photo, photo_name, write_archive
from tests.faults.history import digests
from tests.labels.label_json import entry, label_file

#: The module, whose name in its package is that of its function.
scanning = sys.modules["fertools.archive.scan"]


class Meanwhile:
    """Finds what the bright spot finds, and does something at one of its photos."""

    name = BrightSpot().name

    def __init__(self, deed: Callable[[], object], at: int = 20) -> None:
        self.deed, self.looked, self.at = deed, 0, at

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.looked += 1
        if self.looked == self.at:
            self.deed()
        return BrightSpot().detect(image)


def build(source: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, out, **look | options)
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def zipped(first_seed: int) -> tuple[bytes, dict[str, str]]:
    """Write a zip of a hundred photos of ten people, and name each one's digest."""
    photos = {
        photo_name(i % 10, "기쁨", i): photo((10 + i % 30, 8, 24), seed=first_seed + i)
        for i in range(100)
    }
    data = write_zip(*(Item(name.encode(), data) for name, data in photos.items()))
    return data, {name: sha256(data).hexdigest() for name, data in photos.items()}


def renamed(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


def rewritten(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


@pytest.mark.parametrize("replace", [renamed, rewritten])
def test_a_zip_that_is_replaced_while_it_is_read_gives_no_mixed_bytes(
    tmp_path: Path, replace: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.01))
    before, sums = zipped(100)
    path = tmp_path / "src" / "EMOIMG_기쁨.zip"
    path.parent.mkdir()
    path.write_bytes(before)
    deed = Meanwhile(lambda: replace(path, zipped(500)[0]))
    with pytest.raises(SourceError, match=r"\d+ photos could not be read: .*tries them again"):
        build(path.parent, tmp_path / "out", detector=deed)
    assert not (tmp_path / "out" / "metadata.json").exists()
    path.write_bytes(before)  # so that the archive is the one that OUT was begun with
    deed = Meanwhile(lambda: replace(path, zipped(500)[0]), at=1)
    rows = build(path.parent, tmp_path / "out", detector=deed, accept_unreadable=True)
    fates = Counter(row["outcome"] for row in rows)
    assert len(rows) == 100
    assert set(fates) <= {"kept", "changed", "unreadable"}
    assert fates["changed"] >= 20
    for row in rows:
        if row["outcome"] == "kept":
            assert row["digest"] == sums[row["key"].rpartition("/")[2]]
    assert fertools.verify(tmp_path / "out", quiet=True).ok


def test_photos_that_change_or_go_while_others_are_read_are_rows_if_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.01))
    source = write_archive(tmp_path / "src")
    last = sorted(source.rglob("*.jpg"))[-4:]

    def deed() -> None:
        last[0].unlink()
        last[1].write_bytes(last[1].read_bytes() + b"more")
        os.utime(last[2], ns=(1, 1))  # the same bytes: nothing has changed
        last[3].unlink()
        last[3].symlink_to("/etc/passwd")

    rows = build(source, tmp_path / "out", detector=Meanwhile(deed), accept_unreadable=True)
    fates = {row["key"].rpartition("/")[2]: row["outcome"] for row in rows}
    assert [fates[path.name] for path in last] == ["changed", "changed", "kept", "changed"]
    assert Counter(fates.values()) == {"kept": 57, "changed": 3}


class Disk:
    """Lets opening fail for some files, as a disk or a server does for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: int, at: set[str]) -> None:
        self.error, self.at = error, at
        self.left = 10**9
        real = files.open_file

        def open_file(path: bytes) -> int:
            if os.fsdecode(path).rpartition("/")[2] in self.at and self.left > 0:
                self.left -= 1
                raise OSError(self.error, os.strerror(self.error))
            return real(path)

        monkeypatch.setattr(reader, "open_file", open_file)
        monkeypatch.setattr(files, "PAUSES", (0.0, 0.01, 0.01))


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ETIMEDOUT])
def test_photos_that_cannot_be_read_for_a_while_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """V1: everything else is done and saved, one line tells, the same command tries again."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    disk = Disk(monkeypatch, error, {names[7], names[30]})
    with pytest.raises(SourceError) as caught:
        build(source, out)
    said = str(caught.value)
    assert said.startswith("2 photos could not be read: ")
    assert names[7] in said or names[30] in said
    assert os.strerror(error) in said
    assert "--accept-unreadable" in said
    assert "\n" not in said
    listed = (out / ".fertools" / "unread.csv").read_text("utf-8")
    assert names[7] in listed
    assert names[30] in listed
    assert not (out / "metadata.json").exists()
    disk.left = 0
    seen = Meanwhile(lambda: None)
    rows = build(source, out, detector=seen)
    assert seen.looked == 2  # all others were saved
    assert Counter(row["outcome"] for row in rows) == {"kept": 60}
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")
    assert not (out / ".fertools" / "unread.csv").exists()


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_a_photo_that_was_tried_again_has_its_own_crop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_format: str
) -> None:
    """Raw crops have one length, so that an offset of another writing hits another's crop."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    disk = Disk(monkeypatch, errno.EIO, {names[5]})

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SourceError, match="1 photo could not be read"):
        build(source, out, image_format=image_format)
    disk.left = 0
    with pytest.raises(KeyboardInterrupt):
        build(source, out, image_format=image_format, detector=Meanwhile(stop, at=1))
    build(source, out, image_format=image_format)
    build(source, tmp_path / "fresh", image_format=image_format)
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_part_has_the_same_bytes_whatever_was_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src")
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    disk = Disk(monkeypatch, errno.EIO, {names[5]})
    disk.left = 1
    build(source, tmp_path / "out")
    build(source, tmp_path / "fresh")
    parts = [digests(tmp_path / name / ".fertools" / "parts") for name in ("out", "fresh")]
    assert parts[0] == parts[1]


def test_a_folder_that_stays_unreadable_can_be_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    late = source / "3.More" / "EMOIMG_기쁨"
    late.mkdir(parents=True)
    for shot in range(20):
        name = photo_name(shot, "기쁨", 100 + shot)
        (late / name).write_bytes(photo((10 + shot, 8, 24), seed=shot))
    Disk(monkeypatch, errno.EIO, {path.name for path in late.iterdir()})
    monkeypatch.setattr(extraction, "_MOST_UNREAD", 16)
    with pytest.raises(SourceError, match=r"20 photos could not be read.*--accept-unreadable"):
        build(source, out)
    rows = build(source, out, accept_unreadable=True)
    assert Counter(row["outcome"] for row in rows) == {"kept": 60, "unreadable": 20}


def test_accepted_faults_are_told_by_builds_and_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src")
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    Disk(monkeypatch, errno.EIO, {names[5]})
    options: dict[str, Any] = {"size": 16, "quiet": True, "jobs": 1, "detector": BrightSpot()}
    options["accept_unreadable"] = True
    share = fertools.build_parts(source, tmp_path / "out", "0-99", **options)
    assert share.complete
    assert "warning: 1 file of the archive could not be read" in share.text()
    assert share.text().splitlines()[1].startswith("now run the same command")
    for _ in range(2):
        report = fertools.build_dataset(source, tmp_path / "out", **options)
        assert any("1 file of the archive could not be read; " in w for w in report.warnings)


def test_a_photo_that_is_removed_while_it_is_processed_is_no_damaged_one(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    first = sorted(source.rglob("*.jpg"))[0]
    first.write_bytes(photo(None, seed=1))  # without a face: its file is looked at again
    with pytest.raises(SourceError, match=r"1 photo could not be read.*No such file"):
        build(source, tmp_path / "out", detector=Meanwhile(first.unlink, at=1))


def test_a_label_file_that_was_given_up_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    (source / "labels.json").write_bytes(label_file(*map(entry, names)))
    disk = Disk(monkeypatch, errno.EIO, {"labels.json"})
    build(source, out, accept_unreadable=True)
    assert not Manifest.read(out).votes
    disk.left = 0
    build(source, out)
    assert Manifest.read(out).votes
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_zip_that_is_still_being_copied_is_no_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    whole, _ = zipped(100)
    path = source / "EMOIMG_기쁨.zip"
    path.write_bytes(whole[: len(whole) // 2])
    real = scanning.list_entries

    def grows(joined: Any) -> Any:
        found = real(joined)
        with path.open("ab") as file:
            file.write(bytes(9))
        return found

    monkeypatch.setattr(scanning, "list_entries", grows)
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.01))
    with pytest.raises(SourceError, match=r"EMOIMG_기쁨\.zip: it is being written to"):
        build(source, out)
    monkeypatch.setattr(scanning, "list_entries", real)
    path.write_bytes(whole)
    assert Counter(row["outcome"] for row in build(source, out)) == {"kept": 160}


def test_a_photo_that_is_still_being_copied_is_no_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy may make the file in its final size first."""
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.01))
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    last = sorted(source.rglob("*.jpg"))[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[:200] + bytes(len(whole) - 200))

    def copied() -> None:
        with last.open("r+b") as file:
            file.write(whole[:300])

    with pytest.raises(SourceError, match=r"1 photo could not be read.*written to since the scan"):
        build(source, out, detector=Meanwhile(copied, at=1))
    last.write_bytes(whole)
    assert Counter(row["outcome"] for row in build(source, out)) == {"kept": 60}


def test_damage_in_a_nodes_copy_of_other_times_is_a_fact(tmp_path: Path) -> None:
    one, other, out = tmp_path / "one" / "src", tmp_path / "other" / "src", tmp_path / "out"
    one.mkdir(parents=True)
    data = bytearray(zipped(100)[0])
    data[len(data) // 2] ^= 1
    (one / "EMOIMG_기쁨.zip").write_bytes(data)
    shutil.copytree(one, other)
    os.utime(other / "EMOIMG_기쁨.zip", ns=(10**18, 10**18))
    options: dict[str, Any] = {"size": 16, "quiet": True, "jobs": 1, "detector": BrightSpot()}
    fertools.build_parts(one, out, "0", **options)
    assert fertools.build_parts(other, out, "1-99", **options).complete
    fates = Counter(row["outcome"] for row in build(one, out))
    assert fates == {"kept": 99, "unreadable": 1}
    build(other, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_hidden_folders_that_cannot_be_listed_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src", people=3)
    (source / ".Trash-1000").mkdir()
    Listing(monkeypatch, ".Trash-1000", 99)
    fates = Counter(row["outcome"] for row in build(source, tmp_path / "out"))
    assert fates["kept"] == 18


def test_a_share_of_a_repacked_archive_is_refused_by_name(tmp_path: Path) -> None:
    one, other, out = tmp_path / "one" / "src", tmp_path / "other" / "src", tmp_path / "out"
    items = [
        Item(photo_name(i % 10, "기쁨", i).encode(), photo((10 + i % 30, 8, 24), seed=i))
        for i in range(40)
    ]
    for folder, zipped_items in ((one, items), (other, items[::-1])):
        folder.mkdir(parents=True)
        (folder / "EMOIMG_기쁨.zip").write_bytes(write_zip(*zipped_items))
    options: dict[str, Any] = {"size": 16, "quiet": True, "jobs": 1}
    fertools.build_parts(one, out, "0", detector=BrightSpot(), **options)
    seen = Meanwhile(lambda: None)
    with pytest.raises(OutputError, match=r"EMOIMG_기쁨\.zip/\S+_기쁨_.* is not the same photo"):
        fertools.build_parts(other, out, "1-9", detector=seen, **options)
    assert seen.looked == 0


def test_a_fault_that_passes_at_once_costs_one_more_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    disk = Disk(monkeypatch, errno.EIO, {names[7]})
    disk.left = 2
    assert Counter(row["outcome"] for row in build(source, out)) == {"kept": 60}
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_unreadable_photos_can_be_accepted_and_are_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    disk = Disk(monkeypatch, errno.EIO, {names[7]})
    rows = build(source, out, accept_unreadable=True)
    assert Counter(row["outcome"] for row in rows) == {"kept": 59, "unreadable": 1}
    assert fertools.verify(out, source, quiet=True).ok
    before = digests(out)
    build(source, out, accept_unreadable=True)
    assert digests(out) == before
    with pytest.raises(SourceError, match="1 photo could not be read"):
        build(source, out)
    assert digests(out) == before  # what was accepted stays until there is better
    disk.left = 0
    rows = build(source, out)
    assert Counter(row["outcome"] for row in rows) == {"kept": 60}
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_an_archive_that_goes_away_stops_the_build_and_loses_nothing(tmp_path: Path) -> None:
    """V1: SRC moved away in mid-build, moved back, same command."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    deed = Meanwhile(lambda: source.rename(tmp_path / "gone"))
    with pytest.raises(SourceError, match=r"src is gone: put it back, and the same command"):
        build(source, out, detector=deed)
    assert not (out / "metadata.json").exists()
    (tmp_path / "gone").rename(source)
    rows = build(source, out)
    assert Counter(row["outcome"] for row in rows) == {"kept": 60}
    build(source, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_zip_that_goes_away_stops_the_build(tmp_path: Path) -> None:
    path = tmp_path / "src" / "EMOIMG_기쁨.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(100)[0])
    deed = Meanwhile(lambda: path.rename(tmp_path / "gone"), at=2)
    (path.parent / "EMOIMG_슬픔.zip").write_bytes(zipped(500)[0])
    with pytest.raises(SourceError, match=r"EMOIMG_기쁨\.zip is gone"):
        build(path.parent, tmp_path / "out", detector=deed)


def test_a_disk_on_which_nothing_can_be_read_stops_the_build_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src", shots=4)
    names = {path.name for path in source.rglob("*.jpg")}
    Disk(monkeypatch, errno.EIO, names)
    monkeypatch.setattr(extraction, "_MOST_UNREAD", 16)
    with pytest.raises(SourceError, match=r"^(17|18|19|20) photos .* that is the disk"):
        build(source, tmp_path / "out")
    with pytest.raises(SourceError, match=r"no photo became an example \(unreadable 120\)"):
        build(source, tmp_path / "out", accept_unreadable=True)


class Listing:
    """Lets listing fail for folders of one name, and counts how often it was tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
        self.left, self.asked = times, 0
        real = os.scandir

        def scandir(path: Any) -> Any:
            if not isinstance(path, int) and os.fsdecode(path).endswith(name):
                self.asked += 1
                if self.left > 0:
                    self.left -= 1
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        monkeypatch.setattr(files, "PAUSES", (0.0, 0.01, 0.01))


def test_a_folder_that_cannot_be_listed_stops_the_build_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V1, R15: it would otherwise be an archive with fewer photos, complete for ever."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    listing = Listing(monkeypatch, "기쁨_TRAIN_01", 99)
    with pytest.raises(SourceError, match=r"기쁨_TRAIN_01: the folder cannot be listed: Input/out"):
        build(source, out)
    assert listing.asked == 3
    assert not out.exists()
    rows = build(source, tmp_path / "without", accept_unreadable=True)
    assert Counter(row["outcome"] for row in rows) == {"kept": 40, "unreadable": 1}
    listing.left = 1  # passes at once
    assert Counter(row["outcome"] for row in build(source, out)) == {"kept": 60}


def test_a_zip_that_cannot_be_opened_stops_the_build_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "src" / "EMOIMG_기쁨.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(100)[0])
    write_archive(tmp_path / "src")
    real, left = files.open_file, [99]

    def open_file(path: bytes) -> int:
        if path.endswith(b".zip") and left[0] > 0:
            left[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path)

    monkeypatch.setattr(files, "open_file", open_file)
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.01, 0.01))
    with pytest.raises(SourceError, match=r"EMOIMG_기쁨\.zip: Stale file handle: make it readable"):
        build(path.parent, tmp_path / "out")
    assert "Stale file handle" in fertools.stats(path.parent).text()
    left[0] = 2
    assert Counter(r["outcome"] for r in build(path.parent, tmp_path / "out")) == {"kept": 160}


def test_a_label_file_that_cannot_be_read_stops_the_build_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src")
    (source / "labels.json").write_text("[]")
    disk = Disk(monkeypatch, errno.EIO, {"labels.json"})
    with pytest.raises(SourceError, match=r"labels\.json: Input/output error: make it readable"):
        build(source, tmp_path / "out")
    disk.left = 2
    assert Counter(r["outcome"] for r in build(source, tmp_path / "out")) == {
        "kept": 60,
        "label_file": 1,
    }


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("name,part\na.jpg,train\n", "its first line must name `split`"),
        ("name,split\na.jpg,training set\n", "line 2"),
        ("name,split\nnobody.jpg,train\n", "names none of the 60 photos"),
        (None, "cannot be read"),
    ],
)
def test_a_split_file_that_cannot_be_meant_is_refused_before_the_first_photo(
    tmp_path: Path, text: str | None, wrong: str
) -> None:
    """T4: the corrected file is then not refused as another one."""
    source, file = write_archive(tmp_path / "src"), tmp_path / "splits.csv"
    if text is not None:
        file.write_text(text)
    seen = Meanwhile(lambda: None)
    with pytest.raises(FertoolsError, match=wrong):
        build(source, tmp_path / "out", split_file=str(file), detector=seen)
    assert seen.looked == 0
    assert not (tmp_path / "out").exists()


def test_folders_of_the_system_are_not_listed(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=3)
    (source / "lost+found").mkdir()
    (source / "lost+found" / "1.jpg").write_bytes(photo())
    rows = {row["key"]: row["outcome"] for row in build(source, tmp_path / "out")}
    assert rows.pop("lost+found") == "not_a_photo"
    assert set(rows.values()) == {"kept"}


def test_a_zip_that_is_touched_while_it_is_read_loses_nothing(tmp_path: Path) -> None:
    """V1: the end of a copy or a sync changes a zip's time, and nothing else."""
    path = tmp_path / "src" / "EMOIMG_기쁨.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(100)[0])
    rows = build(path.parent, tmp_path / "out", detector=Meanwhile(lambda: os.utime(path)))
    assert Counter(row["outcome"] for row in rows) == {"kept": 100}
    build(path.parent, tmp_path / "fresh")
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


@pytest.mark.parametrize("packed", [True, False])
def test_a_machine_with_a_copy_of_other_times_makes_the_same_parts(
    tmp_path: Path, packed: bool
) -> None:
    """V2: two machines, each with a copy of SRC, do shares of one build."""
    one, other, out = tmp_path / "one" / "src", tmp_path / "other" / "src", tmp_path / "out"
    if packed:
        one.mkdir(parents=True)
        (one / "EMOIMG_기쁨.zip").write_bytes(zipped(100)[0])
    else:
        write_archive(one)
    shutil.copytree(one, other)
    for path in other.rglob("*"):
        os.utime(path, ns=(10**18, 10**18))

    def share() -> None:
        fertools.build_parts(other, out, "5-99", detector=BrightSpot(), size=16, quiet=True, jobs=1)

    options: dict[str, Any] = {"size": 16, "quiet": True, "jobs": 1}
    fertools.build_parts(one, out, "0-4", detector=Meanwhile(share, at=2), **options)
    rows = build(one, out)
    assert {row["outcome"] for row in rows} == {"kept"}
    build(other, tmp_path / "fresh")
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_machine_with_another_archive_is_refused_by_the_photos_name(tmp_path: Path) -> None:
    one, other, out = tmp_path / "one" / "src", tmp_path / "other" / "src", tmp_path / "out"
    one.mkdir(parents=True)
    (one / "EMOIMG_기쁨.zip").write_bytes(zipped(100)[0])
    other.mkdir(parents=True)
    (other / "EMOIMG_기쁨.zip").write_bytes(zipped(101)[0])
    options: dict[str, Any] = {"size": 16, "quiet": True, "jobs": 1}
    fertools.build_parts(one, out, "0-4", detector=BrightSpot(), **options)
    seen = Meanwhile(lambda: None)
    with pytest.raises(OutputError, match=r"EMOIMG_기쁨\.zip/\S+_기쁨_.*is not the same photo"):
        fertools.build_parts(other, out, "5-9", detector=seen, **options)
    assert seen.looked == 0


def test_a_copied_archive_of_loose_photos_is_not_processed_again(tmp_path: Path) -> None:
    """R9: `cp -r` changes the times of loose photos; their SHA-256 tells that they are the same."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    build(source, out)
    for path in source.rglob("*.jpg"):
        os.utime(path, ns=(1, 1))
    seen = Meanwhile(lambda: None)
    build(source, out, seed=1, overwrite=True, detector=seen)
    assert seen.looked == 0
    changed = sorted(source.rglob("*.jpg"))[3]
    data = bytearray(changed.read_bytes())
    data[-10] ^= 1  # edited in place: the same size, another time
    changed.write_bytes(data)
    build(source, out, seed=2, overwrite=True, detector=seen)
    assert seen.looked == 1
    build(source, tmp_path / "fresh", seed=2)
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_plan_that_another_build_has_replaced_is_noticed(tmp_path: Path) -> None:
    """R14: a task takes its members by number; it must not write another build's photos."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"

    def replaced() -> None:
        parts_of = Parts(scan(source).members, np.arange(16), np.arange(17))
        PartsPlan(out / ".fertools" / "plan.arrow", parts_of, {}, "", [], 0).write()

    with pytest.raises(OutputError, match="is damaged or of another build"):
        build(source, out, detector=Meanwhile(replaced, at=2))
    assert Counter(row["outcome"] for row in build(source, out)) == {"kept": 60}


@pytest.fixture
def broken_off(tmp_path: Path) -> tuple[Path, Path]:
    """An archive, and the OUT of a build of it that was stopped half-way."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(source, out, detector=Meanwhile(stop))
    assert list(out.rglob("*.part"))
    return source, out


def test_a_file_more_or_less_at_resume_is_refused_with_the_difference(
    broken_off: tuple[Path, Path],
) -> None:
    source, out = broken_off
    new = source / photo_name(1, "중립", 9)
    new.write_bytes(photo(seed=77))
    with pytest.raises(OutputError, match=r"members 60 \(now 61\).* is new: .*--overwrite"):
        build(source, out)
    new.unlink()
    first = sorted(source.rglob("*.jpg"))[0]
    data = first.read_bytes()
    first.unlink()
    with pytest.raises(OutputError, match=r"members 60 \(now 59\).* is gone"):
        build(source, out)
    first.write_bytes(data)  # the same bytes again, at another time: the same archive
    build(source, out)
    build(source, out.with_name("fresh"))
    assert digests(out) == digests(out.with_name("fresh"))


@pytest.mark.slow
def test_the_number_of_workers_may_change_at_resume_and_the_size_may_not(
    broken_off: tuple[Path, Path],
) -> None:
    source, out = broken_off
    with pytest.raises(OutputError, match=r"size 16 \(now 24\)"):
        build(source, out, size=24)
    build(source, out, jobs=2)
    build(source, out.with_name("fresh"))
    assert digests(out) == digests(out.with_name("fresh"))

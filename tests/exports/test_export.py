"""An export is whole or absent, continues where it stopped, and has the same bytes each time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.errors import DatasetError, OptionError, OutputError
from fertools.exports import destination
from fertools.exports.export import DatasetExport
from fertools.exports.formats import FORMATS
from tests.exports.conftest import FORMAT1, contents
from tests.fakes import BrightSpot, write_archive

SMALL: dict[str, Any] = {"shard_size": "10KB", "jobs": 1, "quiet": True}

#: Each format, in several units.
EVERY: dict[str, dict[str, Any]] = {
    "parquet": SMALL,
    "webdataset": SMALL | {"to": "webdataset"},
    "folders": {"to": "folders", "jobs": 1, "quiet": True},
}

every_format = pytest.mark.parametrize("options", EVERY.values(), ids=EVERY)


def exported(out: Path, dest: Path, **options: Any) -> DatasetExport:
    return fertools.export_dataset(out, dest, **options or SMALL)


@every_format
def test_two_exports_have_the_same_bytes_whoever_writes_them(
    faces: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    first = exported(faces, tmp_path / "first", **options)
    exported(faces, tmp_path / "second", **options | {"jobs": 2})
    files = contents(tmp_path / "first")
    assert files == contents(tmp_path / "second")
    assert {*files} == {*first.files, "SHA256SUMS"}
    assert len(first.files) > 5


@every_format
def test_the_checksums_are_those_of_all_files(
    faces: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    exported(faces, tmp_path / "dest", **options)
    files = contents(tmp_path / "dest")
    sums = files.pop("SHA256SUMS").decode().splitlines()
    assert sums == sorted(sums, key=lambda line: line[66:])
    assert sums == [f"{sha256(data).hexdigest()}  {name}" for name, data in sorted(files.items())]


@every_format
def test_a_complete_export_is_left_alone(
    faces: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    first = exported(faces, tmp_path / "dest", **options)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dest").rglob("*")}
    assert exported(faces, tmp_path / "dest", **options) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dest").rglob("*")} == times


def test_a_complete_export_that_was_changed_is_told(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "dest")
    card = tmp_path / "dest" / "README.md"
    card.write_text(card.read_text("utf-8") + "mine\n", "utf-8")
    with pytest.raises(OutputError, match=r"README\.md is not what was exported: remove .*dest"):
        exported(faces, tmp_path / "dest")
    card.unlink()
    with pytest.raises(OutputError, match=r"README\.md is not what was exported"):
        exported(faces, tmp_path / "dest")


@pytest.mark.parametrize("lines", [0, 2])
def test_checksums_that_were_cut_short_are_told(faces: Path, tmp_path: Path, lines: int) -> None:
    exported(faces, tmp_path / "dest")
    sums = tmp_path / "dest" / "SHA256SUMS"
    sums.write_bytes(b"".join(sums.read_bytes().splitlines(keepends=True)[:lines]))
    with pytest.raises(OutputError, match="has other files than SHA256SUMS lists: remove"):
        exported(faces, tmp_path / "dest")


@every_format
def test_what_was_finished_is_not_written_again(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    exported(faces, tmp_path / "fresh", **options)
    to = options.get("to", "parquet")
    written: list[str] = []
    form, stop_at = FORMATS[to], 2

    def some(home: Path, unit: Any, *rest: Any) -> Any:
        if len(written) == stop_at:
            raise KeyboardInterrupt
        written.append(unit.name)
        return form.write(home, unit, *rest)

    monkeypatch.setitem(FORMATS, to, replace(form, write=some))
    with pytest.raises(KeyboardInterrupt):
        exported(faces, tmp_path / "dest", **options)
    assert [path.name for path in (tmp_path / "dest").iterdir()] == [".export"]
    files = (tmp_path / "dest" / ".export" / "files").rglob("*")
    damaged = sorted(path for path in files if path.is_file())[0]
    damaged.write_bytes(b"a power failure")

    stop_at = 99
    exported(faces, tmp_path / "dest", **options)
    assert contents(tmp_path / "dest") == contents(tmp_path / "fresh")
    assert len(written) == len({*written}) + 1


@every_format
@pytest.mark.parametrize("moved", [0, 1, 4])
def test_a_kill_among_the_last_renames_is_made_good(
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    moved: int,
) -> None:
    exported(faces, tmp_path / "fresh", **options)
    rename, count = Path.replace, 0

    def some(self: Path, target: Path) -> Path:
        nonlocal count
        if not self.name.startswith("."):  # as temporary files are called
            count += 1
            if count > moved:
                raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", some)
        with pytest.raises(KeyboardInterrupt):
            exported(faces, tmp_path / "dest", **options)
    places = [path for path in contents(tmp_path / "dest") if not path.startswith(".export")]
    assert len(places) == moved
    (tmp_path / "dest" / ".SHA256SUMS.7-c0ffee.tmp").touch()  # as a kill leaves it
    exported(faces, tmp_path / "dest", **options)
    assert contents(tmp_path / "dest") == contents(tmp_path / "fresh")


def test_a_kill_after_the_last_file_leaves_a_complete_export(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        exported(faces, tmp_path / "dest")
    assert (tmp_path / "dest" / ".export").exists()
    exported(faces, tmp_path / "dest")
    assert not (tmp_path / "dest" / ".export").exists()


def test_a_folder_with_other_things_is_refused(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"holds something else \(thesis.tex\): give a new"):
        exported(faces, tmp_path / "mine")
    with pytest.raises(OutputError, match="holds something else"):
        exported(faces, faces)
    with pytest.raises(OutputError, match=r"thesis\.tex is a file: give a folder as DEST"):
        exported(faces, tmp_path / "mine" / "thesis.tex")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_another_export_is_refused(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "dest")
    before = contents(tmp_path / "dest")
    with pytest.raises(OutputError, match=r"holds another export \(of another manifest\): give"):
        exported(FORMAT1, tmp_path / "dest")
    with pytest.raises(OutputError, match=r"holds another export \(of another shard_size\)"):
        exported(faces, tmp_path / "dest", **SMALL | {"shard_size": "20KB"})
    (tmp_path / "dest" / "SHA256SUMS").unlink()
    (tmp_path / "dest" / "export.json").write_bytes(b"\xff")
    with pytest.raises(
        OutputError, match=r"holds another export \(of another dataset, manifest, to, "
    ):
        exported(faces, tmp_path / "dest")
    assert len(contents(tmp_path / "dest")) == len(before) - 1


def test_two_exports_at_once_are_refused(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "fresh")
    about = json.loads(contents(tmp_path / "fresh")["export.json"])
    held = destination.Destination(tmp_path / "dest", about)  # the same export, held by another
    with held.open(), pytest.raises(OutputError, match=r"another export is writing .*: wait"):
        exported(faces, tmp_path / "dest")
    exported(faces, tmp_path / "dest")
    assert contents(tmp_path / "dest") == contents(tmp_path / "fresh")


def test_a_damaged_shard_ends_it_and_a_whole_one_continues_it(faces: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(faces, tmp_path / "out"))
    shard = next(out.glob("*-validation.tfrecord-*"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100] + b"?" + whole[-99:])
    with pytest.raises(DatasetError, match=r"validation.tfrecord.*record \d+ is damaged: .*: put"):
        exported(out, tmp_path / "dest")
    assert not (tmp_path / "dest" / "data").exists()
    shard.write_bytes(whole)
    exported(out, tmp_path / "dest")
    exported(faces, tmp_path / "fresh")
    assert contents(tmp_path / "dest") == contents(tmp_path / "fresh")


def test_a_dataset_that_changes_meanwhile_is_noticed(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(faces, tmp_path / "out"))
    finish = destination.Destination.finish_unit

    def rebuilt(self: Any, unit: str, sums: Any) -> None:
        finish(self, unit, sums)
        (out / MANIFEST).write_text((out / MANIFEST).read_text("utf-8") + " ", "utf-8")

    monkeypatch.setattr(destination.Destination, "finish_unit", rebuilt)
    with pytest.raises(DatasetError, match="was changed while it was exported: export it again"):
        exported(out, tmp_path / "dest")
    assert not (tmp_path / "dest" / "SHA256SUMS").exists()
    assert len([*(tmp_path / "dest" / ".export" / "units").iterdir()]) == 1
    (out / MANIFEST).write_bytes((faces / MANIFEST).read_bytes())
    monkeypatch.setattr(destination.Destination, "finish_unit", finish)
    exported(out, tmp_path / "dest")
    exported(faces, tmp_path / "fresh")
    assert contents(tmp_path / "dest") == contents(tmp_path / "fresh")


def test_plain_names_are_warned_about(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=6)
    out = tmp_path / "out"
    fertools.build_dataset(
        source, out, detector=BrightSpot(), size=16, keep_names=True, quiet=True, jobs=1
    )
    done = exported(out, tmp_path / "dest")
    assert len(done.warnings) == 1
    assert "warning: keys and subjects are plain file names" in done.text()
    assert "do not give these shards away" in contents(tmp_path / "dest")["README.md"].decode()


def test_the_text_counts_and_opens(faces: Path, tmp_path: Path) -> None:
    done = exported(faces, tmp_path / "dest")
    counts = {split: each.records for split, each in Manifest.read(faces).splits.items()}
    assert done.examples == counts
    assert done.folder == tmp_path / "dest"
    first, second = done.text().splitlines()
    assert first.startswith(f"{tmp_path / 'dest'}: {sum(counts.values())} examples (train ")
    assert second == f'open it: datasets.load_dataset("{tmp_path / "dest"}", split="train")'


def test_a_split_that_is_there_is_opened(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=6)
    fertools.build_dataset(
        source,
        tmp_path / "out",
        detector=BrightSpot(),
        size=16,
        split="0/0/100",
        quiet=True,
        jobs=1,
    )
    done = exported(tmp_path / "out", tmp_path / "dest", **EVERY["folders"])
    opened = f'torchvision.datasets.ImageFolder("{tmp_path / "dest"}/test")'
    assert f"open it: {opened}" in done.text()
    assert "FOLDER/test" in contents(tmp_path / "dest")["README.md"].decode()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"to": "tfrecord"}, "--to tfrecord: choose parquet, webdataset or folders"),
        ({"shard_size": "500"}, "--shard-size 500: write the unit as well"),
        ({"to": "folders"}, "--shard-size 10KB has no effect without --to parquet or webdataset"),
        ({"jobs": 0}, "--jobs 0: give a whole number"),
        ({"too": "parquet"}, "there is no option too: did you mean to"),
    ],
)
def test_options_are_checked_before_the_work(
    faces: Path, tmp_path: Path, options: dict[str, Any], line: str
) -> None:
    with pytest.raises(OptionError, match=line):
        exported(faces, tmp_path / "dest", **SMALL | options)
    assert not (tmp_path / "dest").exists()


def test_what_is_no_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="give the folder that build-dataset wrote"):
        exported(tmp_path / "nowhere", tmp_path / "dest")
    assert not (tmp_path / "dest").exists()


def test_a_place_that_cannot_be_written_is_one_line(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dest" / ".export" / "lock").mkdir(parents=True)
    for dest, why in (("file/dest", "Not a directory"), ("dest", "Is a directory")):
        with pytest.raises(OutputError, match=f"could not be written, {why}; .* same command"):
            exported(faces, tmp_path / dest)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(faces: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="writing there is not allowed"):
        exported(faces, tmp_path / "dest")
    tmp_path.chmod(0o755)


@pytest.mark.slow
def test_the_command_exports(tmp_path: Path) -> None:
    words = ("export-dataset", FORMAT1, tmp_path / "dest", "--jobs", "1")
    done = subprocess.run(
        [sys.executable, "-m", "fertools", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "48 examples" in done.stdout
    assert "export: 48 of 48 examples" in done.stderr

"""An archive whose zips come one at a time and are deleted afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.errors import OptionError, OutputError, SourceError
from fertools.inspection.counts.dataset import DatasetStats
from fertools.inspection.repair import Repair
from fertools.options import PartsOptions
from fertools.pipeline.instalments.partial import SeenReport
from tests.archive.rawzip import Item, write_zip
from tests.fakes import EMOTION_NAMES, BrightSpot, photo, photo_name
from tests.faults.test_containers import write_tar

#: Options of all builds here.
LOOK: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}

#: Three emotions of two zips each.
ZIPS = {
    f"1.Training/[원천]EMOIMG_{emotion}_TRAIN_0{half + 1}.zip": (emotion, range(half, 12, 2))
    for emotion in EMOTION_NAMES[:3]
    for half in range(2)
}


def photos(emotion: str, people: range) -> dict[str, bytes]:
    """Return two photos of each person by name."""
    index = EMOTION_NAMES.index(emotion)
    return {
        photo_name(who, emotion, shot): photo(
            (10 + who, 8, 24), seed=index * 10**5 + who * 9 + shot
        )
        for who in people
        for shot in range(2)
    }


def record(name: str, said: str) -> dict[str, Any]:
    box = {"minX": 10, "minY": 8, "maxX": 34, "maxY": 32}
    votes = {f"annot_{slot}": {"boxes": box, "faceExp": said} for slot in "ABC"}
    return {"filename": name, "faceExp_uploader": name.split("_")[3], **votes}


def archive() -> dict[str, bytes]:
    """Return eight zips by path: six of photos, two of labels."""
    files = {}
    for path, (emotion, people) in ZIPS.items():
        named = photos(emotion, people)
        items = [Item(name.encode(), data, method=8) for name, data in named.items()]
        items.append(Item(b"Thumbs.db"))
        files[path] = write_zip(*items)
    for emotion in EMOTION_NAMES[:2]:
        records = [record(name, emotion) for name in photos(emotion, range(12))]
        data = json.dumps(records, ensure_ascii=False).encode()
        item = Item(f"img_emotion_training_data({emotion}).json".encode(), data, method=8)
        files[f"1.Training/[라벨]EMOIMG_{emotion}_TRAIN.zip"] = write_zip(item)
    return files


ARCHIVE = archive()


def put(source: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    return source


def only(source: Path, *paths: str) -> Path:
    """Leave nothing in SRC but these zips."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    return put(source, {path: ARCHIVE[path] for path in paths})


def feed(source: Path, out: Path, paths: list[str], **options: Any) -> None:
    for path in paths:
        only(source, path)
        fertools.build_partial(source, out, **LOOK | options)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def published(out: Path) -> dict[str, bytes]:
    """Return all files of a dataset except what .fertools keeps."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("at once")
    fertools.build_dataset(put(folder / "src", ARCHIVE), folder / "out", **LOOK)
    return folder / "out"


@pytest.mark.parametrize("labels_first", [False, True])
def test_eight_zips_one_at_a_time_are_the_bytes_of_one_build(
    tmp_path: Path, at_once: Path, labels_first: bool
) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    order = sorted(ARCHIVE, key=lambda path: ("라벨" in path) is not labels_first)
    largest, most = max(map(len, ARCHIVE.values())), 0
    for path in order:
        feed(source, out, [path])
        most = max(most, size_of(source) + size_of(out))
    only(source)
    assert most <= largest + size_of(out)  # no copy of a zip, at any time
    report = fertools.build_dataset(source, out, **LOOK)
    assert not any(".zip" in line for line in report.warnings)
    assert published(out) == published(at_once)
    assert fertools.verify(out, source, quiet=True).ok


def test_what_was_deleted_is_not_needed_and_what_is_there_is_read(
    tmp_path: Path, at_once: Path
) -> None:
    """The last zips are never seen by a partial build: the assembly processes them."""
    source, out = tmp_path / "src", tmp_path / "out"
    paths = sorted(ARCHIVE)
    feed(source, out, paths[:5])
    only(source, *paths[4:])
    fertools.build_dataset(source, out, **LOOK)
    assert published(out) == published(at_once)
    only(source)
    fertools.build_dataset(source, out, **LOOK, seed=3, overwrite=True)
    fertools.build_dataset(source, out, **LOOK, overwrite=True)
    assert published(out) == published(at_once)


def test_other_labels_and_classes_need_no_zip(tmp_path: Path) -> None:
    """All photos are processed, so that classes can be chosen afterwards."""
    source, out = tmp_path / "src", tmp_path / "out"
    feed(source, out, sorted(ARCHIVE))
    only(source)
    other = {"labels": "majority", "drop": (EMOTION_NAMES[1],), "split": "60/20/20"}
    fertools.build_dataset(source, out, **LOOK | other)
    whole = tmp_path / "whole"
    fertools.build_dataset(put(tmp_path / "all", ARCHIVE), whole, **LOOK | other)
    assert published(out) == published(whole)


def test_a_zip_that_comes_again_costs_nothing(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    first = sorted(ZIPS)[0]
    feed(source, out, [first, sorted(ZIPS)[1]])
    parts = {path.name: path.stat().st_mtime_ns for path in (out / ".fertools/parts").iterdir()}
    feed(source, out, [first])
    assert {
        path.name: path.stat().st_mtime_ns for path in (out / ".fertools/parts").iterdir()
    } == parts


def test_a_dataset_grows(tmp_path: Path, at_once: Path) -> None:
    """An assembly, then further zips, then another assembly."""
    source, out = tmp_path / "src", tmp_path / "out"
    paths = sorted(ARCHIVE)
    feed(source, out, paths[:4])
    fertools.build_dataset(source, out, **LOOK)
    feed(source, out, paths[4:])
    assert (out / "metadata.json").is_file()
    assert isinstance(fertools.stats(out), DatasetStats)
    fertools.build_dataset(source, out, **LOOK)
    assert published(out) == published(at_once)


def test_stats_says_what_was_seen_and_what_is_missing(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    paths = sorted(ARCHIVE)
    feed(source, out, paths[:3])
    (tmp_path / "list.txt").write_text(
        "\n".join(f"├─{p} | 1 GB | {i}" for i, p in enumerate(paths))
    )
    seen = fertools.stats(out, expect=tmp_path / "list.txt")
    assert isinstance(seen, SeenReport)
    assert [zipped.name for zipped in seen.containers] == paths[:3]
    assert all(zipped.done == zipped.photos for zipped in seen.containers)
    assert [zipped.label_files for zipped in seen.containers] == [1, 1, 0]
    assert seen.missing == tuple(path.rpartition("/")[2] for path in paths[3:])
    assert "5 files of the list were not seen" in seen.text()
    repair = fertools.stats(out, repair=True, expect=tmp_path / "list.txt")
    assert isinstance(repair, Repair)
    assert [found.filekey for found in repair.downloads] == ["3", "4", "5", "6", "7"]


def test_a_zip_that_is_another_one_is_told(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    first, second = sorted(ZIPS)[:2]
    feed(source, out, [first])
    put(only(source), {first: ARCHIVE[second]})
    with pytest.raises(OutputError, match="is not the one that was seen: 12 of its files are gone"):
        fertools.build_partial(source, out, **LOOK)
    report = fertools.build_partial(source, out, **LOOK, overwrite=True)
    assert any("it replaces 12 files" in line for line in report.warnings)
    assert [zipped.done for zipped in report.containers] == [12]


def test_a_download_that_was_cut_grows_to_the_whole_zip(tmp_path: Path, at_once: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    paths = sorted(ARCHIVE)
    put(only(source), {paths[2]: ARCHIVE[paths[2]][:-4000]})
    report = fertools.build_partial(source, out, **LOOK)
    assert any("it has no directory" in line for line in report.warnings)
    feed(source, out, paths)
    only(source)
    fertools.build_dataset(source, out, **LOOK)
    assert published(out) == published(at_once)


def test_other_face_options_are_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    feed(source, out, sorted(ZIPS)[:1])
    with pytest.raises(OutputError, match=r"begun with size 16 \(now 24\)"):
        feed(source, out, sorted(ZIPS)[1:2], size=24)
    with pytest.raises(OutputError, match=r"begun with size 16 \(now 24\)"):
        fertools.build_dataset(source, out, **LOOK | {"size": 24})


def test_a_zip_that_is_gone_before_it_was_done_is_named(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    first, second = sorted(ZIPS)[:2]
    feed(source, out, [first])
    for part in (out / ".fertools/parts").iterdir():
        part.unlink()
    only(source, second)
    report = fertools.build_partial(source, out, **LOOK)
    assert any(line.startswith(f"{first}: it is gone") for line in report.warnings)
    assert not report.complete
    with pytest.raises(SourceError, match="not all of its faces were found: put it there again"):
        fertools.build_dataset(source, out, **LOOK)
    feed(source, out, [first])
    only(source)
    fertools.build_dataset(source, out, **LOOK)


@pytest.mark.slow
def test_annotators_boxes_need_the_labels_first(tmp_path: Path) -> None:
    source, look = tmp_path / "src", LOOK | {"detector": "aihub"}
    labels = next(path for path in sorted(ARCHIVE) if "라벨" in path)
    zipped = next(path for path in sorted(ZIPS) if EMOTION_NAMES[0] in path)
    for out, order in (("out", (labels, zipped)), ("late", (zipped, labels))):
        for path in order:
            only(source, path)
            report = fertools.build_partial(source, tmp_path / out, **look)
        assert report.complete is (out == "out")
    only(source)
    with pytest.raises(SourceError, match=f"{zipped.rpartition(']')[2]}: it is gone"):
        fertools.build_dataset(source, tmp_path / "late", **look)


def test_loose_photos_and_tars_may_go_too(tmp_path: Path) -> None:
    source, out = tmp_path / "src", tmp_path / "out"
    folder = {f"기쁨/{name}": data for name, data in photos("기쁨", range(12)).items()}
    tar = {f"당황/{name}": data for name, data in photos("당황", range(12)).items()}
    put(source, folder)
    fertools.build_partial(source, out, **LOOK)
    shutil.rmtree(source / "기쁨")
    write_tar(source / "a.tar", tar)
    fertools.build_partial(source, out, **LOOK)
    (source / "a.tar").unlink()
    fertools.build_dataset(source, out, **LOOK)
    whole = put(tmp_path / "all", folder)
    write_tar(whole / "a.tar", tar)
    fertools.build_dataset(whole, tmp_path / "whole", **LOOK)
    assert published(out) == published(tmp_path / "whole")


def test_partial_contradicts_part_ranges() -> None:
    with pytest.raises(OptionError, match="--partial contradicts --only-parts"):
        PartsOptions("0-1", True)


def test_nothing_to_see_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(SourceError, match="no photo that can be used"):
        fertools.build_partial(tmp_path / "src", tmp_path / "out", **LOOK)

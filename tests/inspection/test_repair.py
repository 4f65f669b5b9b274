from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import fertools
from fertools.cli import cli
from fertools.errors import OptionError
from fertools.inspection.expected import ExpectedFile, missing_files, read_expected
from fertools.inspection.repair import Download, Repair
from tests.archive.rawzip import Item
from tests.archive.rawzip import write_zip as zip_of
from tests.fakes import BrightSpot, photo, photo_name

#: As aihubshell -mode l prints it.
LIST = """
==========================================
The contents are encoded in UTF-8 including Korean characters.
==========================================
    └─한국인 감정인식을 위한 복합 영상
        └─1.Training
            ├─[원천]EMOIMG_기쁨_TRAIN_01.zip | 31 GB | 49345
            ├─[원천]EMOIMG_기쁨_TRAIN_02.zip | 489 KB | 49346
            ├─[원천]EMOIMG_당황_TRAIN_01.zip | 30 GB | 49347
            └─[라벨]EMOIMG_기쁨_TRAIN.zip | 9 MB | 49348
"""

GOOD = zip_of(*(Item(photo_name(who, "기쁨", 1).encode(), photo()) for who in range(30)))


def write(source: Path, **zips: bytes) -> Path:
    source.mkdir()
    for name, data in zips.items():
        (source / f"[원천]EMOIMG_{name}.zip").write_bytes(data)
    return source


def repairs(path: Path, expect: Path | None = None) -> Repair:
    found = fertools.stats(path, repair=True, expect=expect and str(expect))
    assert isinstance(found, Repair)
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_the_list_of_aihubshell_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "list.txt").write_text(LIST.replace("├", "|").replace("└", "|"), encoding)
    files = read_expected(tmp_path / "list.txt")
    assert files[0] == ExpectedFile("[원천]EMOIMG_기쁨_TRAIN_01.zip", "49345")
    assert [file.filekey for file in files] == ["49345", "49346", "49347", "49348"]
    (tmp_path / "list.txt").write_text(LIST, "utf-8")
    assert read_expected(tmp_path / "list.txt") == files


def test_a_plain_list_has_no_keys(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a/b.zip\n\nnotes\nc d.ZIP\n", "utf-8")
    assert read_expected(tmp_path / "list.txt") == (ExpectedFile("b.zip"), ExpectedFile("c d.ZIP"))


@pytest.mark.parametrize("text", ["", "notes\nmore"])
def test_a_list_without_zips_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.txt").write_text(text, "utf-8")
    with pytest.raises(OptionError, match="names no zip: give the output of aihubshell"):
        read_expected(tmp_path / "list.txt")
    with pytest.raises(OptionError, match="cannot be read"):
        read_expected(tmp_path / "gone.txt")


def test_an_unpacked_zip_is_there() -> None:
    files = [ExpectedFile("A.zip"), ExpectedFile("B.zip"), ExpectedFile("C.zip")]
    assert missing_files(files, {"x/a.ZIP", "y/B/inner"}) == (files[2],)


def test_what_is_damaged_cut_or_missing_is_listed_with_its_key(tmp_path: Path) -> None:
    names = {"기쁨_TRAIN_01": GOOD, "기쁨_TRAIN_02": GOOD[:-200], "옛것": b"no zip"}
    source = write(tmp_path / "src", **names)
    (source / "[원천]EMOIMG_당황_TRAIN_01.zip.part0").write_bytes(GOOD[:4000])
    (source / "[원천]EMOIMG_당황_TRAIN_01.zip.part9000").write_bytes(GOOD[9000:])
    (tmp_path / "list.txt").write_text(LIST, "utf-8")
    found = repairs(source, tmp_path / "list.txt")
    assert [(each.file.rpartition("EMOIMG_")[2], each.filekey) for each in found.downloads] == [
        ("기쁨_TRAIN_02.zip", "49346"),
        ("당황_TRAIN_01.zip", "49347"),
        ("옛것.zip", ""),
        ("기쁨_TRAIN.zip", "49348"),
    ]
    assert "part4000 is missing" in found.downloads[1].why
    assert found.downloads[3].why == "it is not there"
    assert found.looked_at == 4
    assert found.text().endswith("aihubshell -mode d -datasetkey 82 -filekey 49346,49347,49348")
    assert found.csv().splitlines()[0] == "file,filekey,why"
    assert len(found.csv().splitlines()) == 5
    assert found.to_dict()["downloads"][0]["filekey"] == "49346"


def test_an_archive_without_a_usable_photo_is_listed_too(tmp_path: Path) -> None:
    source = write(tmp_path / "src", 기쁨=b"no zip")
    assert [each.file for each in repairs(source).downloads] == ["[원천]EMOIMG_기쁨.zip"]
    assert "--expect FILE" in repairs(source).text()


def test_a_whole_archive_needs_no_repair(tmp_path: Path) -> None:
    source = write(tmp_path / "src", 기쁨_TRAIN_01=GOOD)
    assert repairs(source) == Repair(1, ())
    assert repairs(source).text() == "1 zip or tar can be read: no download needs to be repeated"


def test_a_dataset_names_the_zips_whose_photos_were_damaged(tmp_path: Path) -> None:
    """Only the build reads the photos, so only its ledger knows of wrong checksums."""
    items = [Item(photo_name(who, "기쁨", 1).encode(), photo(seed=who)) for who in range(40)]
    other = [Item(photo_name(who, "중립", 1).encode(), photo(seed=99 + who)) for who in range(40)]
    damaged = zip_of(Item(items[0].name, items[0].data, crc=1), *items[1:])
    source = write(tmp_path / "src", 기쁨=damaged, 중립=zip_of(*other))
    assert repairs(source).downloads == ()
    out = tmp_path / "out"
    fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1)
    assert repairs(out).recorded == "the ledger"
    why = "1 of its photos cannot be read (its CRC-32 does not match: it was damaged)"
    assert repairs(out).downloads == (Download("[원천]EMOIMG_기쁨.zip", "", why),)


def test_what_was_only_recorded_is_not_said_to_be_readable_now() -> None:
    says = "35 zips and tars could be read, the ledger says: no download needs to be repeated"
    assert Repair(35, (), "the ledger").text() == says


def test_the_command_prints_it_and_refuses_what_has_no_effect(tmp_path: Path) -> None:
    source = write(tmp_path / "src", 기쁨=GOOD[:-200], 중립=GOOD)
    run = CliRunner().invoke(cli, ["stats", str(source), "--repair"], catch_exceptions=False)
    assert run.exit_code == 0
    assert run.output.startswith("1 download to repeat:\n  [원천]EMOIMG_기쁨.zip: ")
    for wrong in (["--expect", "x"], ["--repair", "--by", "class"]):
        refused = CliRunner().invoke(cli, ["stats", str(source), *wrong])
        assert isinstance(refused.exception, OptionError)

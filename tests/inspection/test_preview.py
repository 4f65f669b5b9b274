"""A preview shows what the build makes of some photos, chosen the same each time."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import fertools
from fertools import fonts
from fertools.cli import cli
from fertools.console import TABLE_WIDTH, display_width
from fertools.data import Box, Crop, Drop, Face, Reason
from fertools.errors import OptionError, OutputError, SourceError
from fertools.inspection import contact_sheet
from fertools.inspection.contact_sheet import CHOSEN, CROP, GHOST, HEAD, MARGIN, OTHER, PAD, PHOTO
from fertools.inspection.preview import Preview
from tests.fakes import BrightSpot, photo, photo_name, write_archive


def look(source: Path, file: Path, **options: object) -> Preview:
    return fertools.preview(source, file, detector=BrightSpot(), **options)  # type: ignore[arg-type]


def pixels(file: Path) -> NDArray[np.uint8]:
    """Return a picture as uint8 (H, W, 3), RGB."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def near(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """Count the pixels of exactly one colour."""
    return int((image == np.array(colour, np.uint8)).all(axis=2).sum())


def tile(file: Path, number: int = 0) -> NDArray[np.uint8]:
    """Return the photo and crop of a tile."""
    row, column = divmod(number, contact_sheet.COLUMNS)
    y = HEAD + row * (contact_sheet.TILE_HEIGHT + MARGIN) + PAD
    x = MARGIN + column * (contact_sheet.TILE_WIDTH + MARGIN) + PAD
    return pixels(file)[y : y + PHOTO, x : x + PHOTO + PAD + CROP]


def test_the_choice_is_the_same_each_time_and_covers_the_classes(
    source: Path, tmp_path: Path
) -> None:
    first, again = (look(source, tmp_path / name, photos=8) for name in ("a.png", "b.png"))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert [t.key for t in first.tiles] == [t.key for t in again.tiles]
    assert sorted(Counter(t.name for t in first.tiles).values()) == [2, 3, 3]
    assert [t.name for t in first.tiles] == sorted(t.name for t in first.tiles)
    other = look(source, tmp_path / "b.png", photos=8, seed=1)
    assert {t.key for t in other.tiles} != {t.key for t in first.tiles}
    # A member's rank does not depend on how many are shown.
    assert {t.key for t in first.tiles} < {
        t.key for t in look(source, tmp_path / "b.png", photos=20).tiles
    }


def test_all_photos_are_shown_where_there_are_few(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=2, shots=1)
    made = look(source, tmp_path / "p.png")
    assert len(made.tiles) == made.photos == 6


def test_crops_and_boxes_are_those_of_the_build(
    source: Path, dataset: Path, tmp_path: Path
) -> None:
    made = look(source, tmp_path / "p.png", size=16)
    options = {"detector": BrightSpot(), "size": 16, "keep_names": True, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, tmp_path / "out", **options)  # type: ignore[arg-type]
    examples = {e.key: e for e in fertools.read_examples(tmp_path / "out")}
    kept = [t for t in made.tiles if isinstance(t.fate, Crop)]
    assert len(kept) >= 23
    for shown in kept:
        assert isinstance(shown.fate, Crop)
        example = examples[shown.key]
        assert (shown.fate.image, shown.fate.box) == (example.image, example.box)


def test_a_photo_that_is_dropped_is_shown_with_its_reason(tmp_path: Path) -> None:
    home = tmp_path / "src"
    home.mkdir()
    (home / photo_name(1, "기쁨", 1)).write_bytes(photo(None))
    (home / photo_name(2, "기쁨", 2)).write_bytes(photo()[:900])
    (home / photo_name(3, "기쁨", 3)).write_bytes(photo())
    made = look(home, tmp_path / "p.png")
    reasons = Counter(t.fate.reason for t in made.tiles if isinstance(t.fate, Drop))
    assert reasons == {Reason.NO_FACE: 1, Reason.DAMAGED: 1}
    assert "3 of 3 photos: 1 with a crop, dropped 1 " in made.text()
    damaged = next(i for i, t in enumerate(made.tiles) if t.photo is None)
    no_face = next(i for i, t in enumerate(made.tiles) if "no_face" in t.found_text)
    assert near(tile(tmp_path / "p.png", damaged), contact_sheet._ALARM) > 3 * PHOTO
    assert near(tile(tmp_path / "p.png", no_face), CHOSEN) == 0


@dataclass(frozen=True)
class Three:
    """Answers with a large face, a small one, and one that leaves the photo."""

    name: str = "three 1"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = image.shape[:2]
        boxes = ((0.1, 0.1, 0.5, 0.6), (0.6, 0.6, 0.8, 0.8), (0.7, 0.1, 1.2, 0.4))
        return [
            Face(Box(x0 * width, y0 * height, x1 * width, y1 * height), 0.9)
            for x0, y0, x1, y1 in boxes
        ]


def test_the_chosen_face_others_and_ghosts_have_their_boxes(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=1, shots=1)
    made = fertools.preview(source, tmp_path / "p.png", detector=Three(), photos=1)
    (shown,) = made.tiles
    assert (len(shown.faces), len(shown.ghosts)) == (2, 1)
    assert shown.found_text == "2 faces, 1 ghost"
    assert shown.chosen == shown.faces[0].box
    drawn = tile(tmp_path / "p.png")[:, :PHOTO]
    height = round(PHOTO * 64 / 80)
    top = (PHOTO - height) // 2
    for colour, (x, y) in ((CHOSEN, (0.1, 0.3)), (OTHER, (0.6, 0.7)), (GHOST, (0.7, 0.1))):
        column = round(x * PHOTO)
        row = top + round(y * height)
        assert near(drawn[row - 4 : row + 5, column - 3 : column + 4], colour) > 0
    assert near(drawn, CHOSEN) > near(drawn, OTHER) > 0


def test_many_faces_are_boxed_though_the_photo_is_rejected(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=1, shots=1)
    made = fertools.preview(
        source, tmp_path / "p.png", detector=Three(), photos=1, on_many="reject"
    )
    assert made.tiles[0].found_text == "many_faces, 2 faces, 1 ghost"
    assert near(tile(tmp_path / "p.png"), OTHER) > 0


def test_the_crop_is_beside_the_photo(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=1, shots=1)
    made = look(source, tmp_path / "p.png", size=26, photos=1)
    (shown,) = made.tiles
    assert isinstance(shown.fate, Crop)
    gray = cv2.imdecode(np.frombuffer(shown.fate.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    drawn = tile(tmp_path / "p.png")[:CROP, PHOTO + PAD :]
    assert (drawn == np.kron(gray, np.ones((4, 4), np.uint8))[..., None]).all()


HOSTILE = (
    "<img src=x onerror=alert(1)>.jpg",
    "\x1b]0;x\x07\x1b[2J\u202egpj.jpg",
    "a\nb.jpg",
    "$x^2$.jpg",
)


def test_hostile_names_are_printed_and_drawn_safely(tmp_path: Path) -> None:
    for i, name in enumerate(HOSTILE):
        home = tmp_path / "src" / ("$a_b$" if i % 2 else "\x1b[31mred")
        home.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(photo(seed=i))
    made = look(tmp_path / "src", tmp_path / "p.png")
    assert len(made.tiles) == 4
    assert not any("no font" in warning for warning in made.warnings)  # an escape has letters
    text = made.text()
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "<img src=x" in text
    assert pixels(tmp_path / "p.png").shape[1] == 4 * 348 + 12


def test_the_table_fits_80_columns(source: Path, tmp_path: Path) -> None:
    lines = look(source, tmp_path / "p.png").text().split("\n\n")[0].splitlines()
    assert len(lines) == 26
    assert max(map(display_width, lines)) <= TABLE_WIDTH


def test_without_a_font_with_hangul_classes_are_in_english(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = contact_sheet._Pen.text

    def record(pen: Any, place: Any, text: str, *more: Any, **named: Any) -> float:
        written.append(text)
        return write(pen, place, text, *more, **named)

    monkeypatch.setattr(contact_sheet._Pen, "text", record)
    with monkeypatch.context() as patch:
        patch.setattr(fonts, "_letters", lambda file: frozenset(map(chr, range(32, 127))))
        fonts.fonts_for.cache_clear()
        made = look(source, tmp_path / "p.png")
    fonts.fonts_for.cache_clear()
    assert any("in English: install one" in warning for warning in made.warnings)
    assert {"joy", "anger"} <= {*written}
    assert "기쁨 joy" not in written


def test_only_a_picture_of_fertools_is_replaced(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.png"
    look(source, file, photos=1)
    look(source, file, photos=2)
    own = io.BytesIO()
    Image.new("RGB", (9, 9)).save(own, "PNG")
    file.write_bytes(own.getvalue())
    with pytest.raises(OutputError, match="was not drawn by fertools: remove it"):
        look(source, file)
    assert file.read_bytes() == own.getvalue()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("p.jpg", OptionError, "give a name that ends in .png"),
        ("src/p.png", OutputError, "is never written to"),
        ("src/1.Training/p.png", OutputError, "is never written to"),
        (
            "nowhere/p.png",
            OutputError,
            "nowhere is not a folder: make it first, or give another FILE",
        ),
        ("folder.png", OutputError, r"folder\.png is a folder: give another FILE"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line_before_the_work(
    tmp_path: Path, name: str, error: type[Exception], message: str
) -> None:
    source = write_archive(tmp_path / "src", people=1, shots=1)
    (tmp_path / "folder.png").mkdir()
    before = sorted(source.rglob("*"))
    with pytest.raises(error, match=message) as raised:
        look(source, tmp_path / name)
    assert "\n" not in str(raised.value)
    assert sorted(source.rglob("*")) == before


def test_a_dataset_is_no_archive(dataset: Path, tmp_path: Path) -> None:
    advice = "is a built dataset: give as SRC the archive that it was built from"
    with pytest.raises(SourceError, match=advice):
        look(dataset, tmp_path / "p.png")
    with pytest.raises(SourceError, match=advice):
        fertools.build_dataset(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_may_have_a_metadata_json_of_its_own(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=1, shots=1)
    (source / "metadata.json").write_text('{"title": "faces"}', "utf-8")
    assert look(source, tmp_path / "p.png").tiles


def test_an_option_without_effect_is_refused_as_in_a_build(source: Path, tmp_path: Path) -> None:
    for options in ({"jpeg_quality": 80}, {"disputed": "keep"}, {"align": True}):
        with pytest.raises(OptionError):
            look(source, tmp_path / "p.png", **options)
    with pytest.raises(OptionError, match="there is no option split"):
        look(source, tmp_path / "p.png", split="70/15/15")


def test_a_config_of_the_build_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file for both: a preview with other options than the build's would show other crops."""
    seen: dict[str, object] = {}
    monkeypatch.setattr(
        fertools, "preview", lambda *paths, **options: seen.update(options) or paths
    )
    monkeypatch.setattr("fertools.cli.commands.click.echo", lambda *text: None)
    config = tmp_path / "my.toml"
    config.write_text(
        'seed = 3\n[build-dataset]\nsize = 48\nsplit = "80/20/0"\nmargin = 0.1\n'
        "[preview]\nmargin = 0.2\n"
    )
    CliRunner().invoke(cli, ["preview", str(tmp_path), "--config", str(config)])
    assert (seen["size"], seen["margin"], seen["seed"], seen["photos"]) == (48, 0.2, 3, 24)

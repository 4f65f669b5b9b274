"""A dataset of format 1 is read, verified, counted, shown and trained from for ever.

docs/stability.md promises it; nothing here may be changed to make a test pass.

The folder `format1` was built at c2e1f91, the last commit of format 1:

    fertools make-sample SRC --people 12 --photos 48 --megapixels 0.3
    fertools build-dataset SRC format1 --size 24 --split 50/25/25

It shows drawn people, and holds the published files and the secret of its pseudonyms. Its votes
count the uploader, who has neither a feature nor a column.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import fertools
from fertools.dataset.manifest import Manifest
from fertools.errors import DatasetError, OptionError

FOLDER = Path(__file__).parent / "format1"
SPLITS = ("train", "validation", "test")


def test_it_is_read() -> None:
    manifest = Manifest.read(FOLDER)
    assert (manifest.format, manifest.votes, manifest.uploader) == (1, True, False)
    examples = list(fertools.read_examples(FOLDER))
    assert len(examples) == manifest.counts.kept == 48
    assert {example.uploader for example in examples} == {-1}
    assert max(sum(example.votes) for example in examples) == 4, "three annotators and the uploader"


def test_it_is_verified(tmp_path: Path) -> None:
    assert fertools.verify(FOLDER, quiet=True).problems == ()
    out = Path(shutil.copytree(FOLDER, tmp_path / "out"))
    shard = next(out.glob("*-test.tfrecord-*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert not fertools.verify(out, quiet=True).ok


def test_it_is_counted() -> None:
    report = fertools.stats(FOLDER)
    assert "48 examples of 56 entries" in report.text()
    assert json.loads(json.dumps(report.to_dict()))["format"] == 1


def test_it_is_opened_by_number() -> None:
    """It has no indices: they are made in memory."""
    for name in SPLITS:
        sequence = fertools.open_dataset(FOLDER, name)
        examples = list(fertools.read_examples(FOLDER, name))
        assert [sequence.example(i) for i in range(len(sequence))] == examples
        assert sequence[0]["label"] == examples[0].label


def test_it_is_shown(tmp_path: Path) -> None:
    page = fertools.report(FOLDER, tmp_path / "page.html", quiet=True)
    assert (page.kept, page.examples) == (48, 48)


def test_votes_that_count_the_uploader_are_not_measured() -> None:
    with pytest.raises(DatasetError, match="format 1"):
        fertools.measure_labels(FOLDER)


@pytest.mark.slow
def test_it_is_trained_from_and_evaluated(tmp_path: Path) -> None:
    run = fertools.train(FOLDER, tmp_path / "run", depth=8, width=8, epochs=1, batch=8, quiet=True)
    assert run.dataset["name"] == "faces"
    assert fertools.evaluate(tmp_path / "run", FOLDER).metrics.photos == 12


@pytest.mark.slow
def test_it_is_loaded() -> None:
    splits = [fertools.load(FOLDER, name, features=("image", "label", "votes")) for name in SPLITS]
    rows = [row for split in splits for row in split.as_numpy_iterator()]
    assert len(rows) == 48
    image, _, votes = rows[0]
    assert (image.shape, votes.shape) == ((24, 24, 1), (7,))
    with pytest.raises(OptionError, match="no feature 'uploader'"):
        fertools.load(FOLDER, "train", features=("uploader",))

"""Labels that are likely wrong: how they are ranked, what is written, what is refused."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from fertools.dataset.example import Example
from fertools.dataset.manifest import MANIFEST, Counts, LedgerFile, Manifest, SplitContents
from fertools.errors import DatasetError, DependencyError, OptionError, OutputError
from fertools.inference import out_of_fold
from fertools.inference.out_of_fold import fold_people
from fertools.inference.suspects import suspects
from fertools.inference.wrong_labels import count_wrong, posterior, quality
from tests.training.fakes import CLASSES, SIZE, example, write_dataset

NAMES = [entry.name for entry in CLASSES]
SHARDS = 2


def write_with_ledger(out: Path, splits: dict[str, Sequence[Example]], **other: Any) -> Path:
    """Write a dataset with a ledger; an example whose key begins with "copy" has no row there."""
    rows: list[dict[str, Any]] = []
    contents: dict[str, SplitContents] = {}
    for split, examples in splits.items():
        write_dataset(out, examples, split, SHARDS)
        contents |= Manifest.read(out).splits
        for shard in range(SHARDS):
            rows += [
                {
                    "key": f"a.zip/{each.key}.jpg",
                    "subject": each.subject or None,
                    "label": NAMES[each.label],
                    "votes": list(each.votes) or None,
                    "outcome": "kept",
                    "split": split,
                    "shard": shard,
                    "index": index,
                }
                for index, each in enumerate(examples[shard::SHARDS])
                if not each.key.startswith("copy")
            ]
    # In the archive's order, which is not that of the shards; a dropped member is in no split.
    rows.sort(key=lambda row: str(row["key"]))
    rows.append(dict.fromkeys(rows[0]) | {"key": "z", "outcome": "no_face"})
    pq.write_table(pa.Table.from_pylist(rows), out / "ledger.parquet")
    count = sum(map(len, splits.values()))
    manifest = replace(
        Manifest.read(out),
        splits=contents,
        counts=Counts(count, count, {}),
        ledger=LedgerFile("ledger.parquet", count, "0" * 64),
    )
    (out / MANIFEST).write_text(replace(manifest, **other).to_json(), "utf-8")
    return out


def people(count: int, first: int = 0, **fields: Any) -> list[Example]:
    """Give three photos each of some people, one a class."""
    return [
        example(3 * who + label, label, subject=f"p{who}", **fields)
        for who in range(first, first + count)
        for label in range(3)
    ]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_with_ledger(
        tmp_path / "out", {"train": people(6), "validation": people(2, 6), "test": people(2, 8)}
    )


@pytest.fixture
def sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the networks be certain that all photos show the class 1, more so of later ones."""

    def predict(_: Path, __: Manifest, photos: Any, ___: Any) -> NDArray[np.float32]:
        share = np.linspace(0.5, 0.8, len(photos))
        rest = (1 - share) / 2
        return np.stack([rest, share, rest], axis=1).astype(np.float32)

    monkeypatch.setattr("fertools.inference.suspects.predict_out_of_fold", predict)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


# Quality ------------------------------------------------------------------------------------------


def test_without_votes_the_network_alone_decides() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
    labels, none = np.array([0, 1]), np.zeros((2, 3), np.int64)
    found = posterior(shares, labels, none)
    assert found == pytest.approx(shares, abs=1e-6)
    assert quality(labels, found) == pytest.approx([0.7, 0.1])


def test_votes_are_further_evidence() -> None:
    labels = np.repeat([0, 1, 2], 10)
    votes = 3 * np.eye(3, dtype=np.int64)[labels]
    votes[0] = (0, 3, 0)
    unsure = np.full((30, 3), 1 / 3, np.float32)
    found = posterior(unsure, labels, votes)
    assert found.sum(axis=1) == pytest.approx(np.ones(30))
    assert quality(labels, found).argmin() == 0
    assert found[0].argmax() == 1


def test_a_class_that_annotators_mostly_call_another_is_not_wrong_for_that() -> None:
    """Of 불안 the annotators' majority names another class in six of ten photos."""
    labels = np.repeat([0, 1, 2], 100)
    said = np.eye(3, dtype=np.int64)
    votes = 3 * said[labels]
    votes[60:100] = 3 * said[1]  # 40 of 100 with the label 0
    votes[150] = 3 * said[0]  # one of 100 with the label 1
    unsure = np.full((300, 3), 1 / 3, np.float32)
    found = quality(labels, posterior(unsure, labels, votes))
    assert found[60] > found[150]
    assert found.argmin() == 150


def test_a_network_that_is_certain_does_not_overrule_all_votes() -> None:
    labels = np.repeat([0, 1], 50)
    votes = 3 * np.eye(2, dtype=np.int64)[labels]
    certain = np.eye(2, dtype=np.float32)[1 - labels]
    certain[1:] = np.eye(2, dtype=np.float32)[labels[1:]]
    assert np.isfinite(posterior(certain, labels, votes)).all()
    assert posterior(certain, labels, 4 * votes)[0].argmax() == 0


def test_the_number_of_wrong_labels_is_estimated() -> None:
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 4, 4000)
    labels = shown.copy()
    labels[:400] = (labels[:400] + rng.integers(1, 4, 400)) % 4
    shares = np.full((4000, 4), 0.05)
    shares[np.arange(4000), shown] = 0.85
    assert count_wrong(labels, shares) == pytest.approx(400, abs=20)


# Folds --------------------------------------------------------------------------------------------


def test_a_person_is_in_one_fold_and_folds_are_even() -> None:
    rng = np.random.default_rng(1)
    who = rng.integers(0, 40, 1000)
    folds = fold_people(who, 5)
    assert all(len(set(folds[who == person])) == 1 for person in range(40))
    sizes = np.bincount(folds)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 10


# The file -----------------------------------------------------------------------------------------


def test_the_worst_label_comes_first_and_test_is_not_listed(out: Path, sure: None) -> None:
    found = suspects(out)
    rows = rows_of(out / "suspects.csv")
    assert len(rows) == found.photos == 24
    assert found.people == 8
    values = [float(row["quality"]) for row in rows]
    assert values == sorted(values)
    assert {row["split"] for row in rows} == {"train", "validation"}
    first = rows[0]
    assert (first["suggested"], first["split"], first["votes"]) == ("당황", "validation", "")
    assert first["label"] != "당황"
    assert [*first][:7] == ["key", "label", "suggested", "quality", "corrected", "who", "why"]
    assert first["corrected"] == first["who"] == first["why"] == ""
    assert {row["label"] for row in rows[-8:]} == {"당황"}


def test_a_row_names_the_member_and_where_its_example_is(out: Path, sure: None) -> None:
    suspects(out)
    by_split = {"train": people(6), "validation": people(2, 6)}
    for row in rows_of(out / "suspects.csv"):
        shard = by_split[row["split"]][int(row["shard"]) :: SHARDS]
        one = shard[int(row["index"])]
        assert row["key"] == f"a.zip/{one.key}.jpg"
        assert (row["label"], row["subject"]) == (NAMES[one.label], one.subject)


def test_votes_are_listed_with_the_most_frequent_first(tmp_path: Path, sure: None) -> None:
    voted = people(6, votes=(1, 0, 2))
    out = write_with_ledger(tmp_path / "out", {"train": voted}, votes=True)
    suspects(out)
    assert {row["votes"] for row in rows_of(out / "suspects.csv")} == {"중립 2, 기쁨 1"}


def test_at_most_so_many_photos_of_a_person(out: Path, sure: None) -> None:
    everything = [row.key for row in suspects(out).rows]
    found = suspects(out, max_per_subject=1)
    assert len({row.subject for row in found.rows}) == len(found.rows) == 8
    assert found.photos == 24
    positions = [everything.index(row.key) for row in found.rows]
    assert positions == sorted(positions)
    assert positions[0] == 0


def test_photos_without_a_person_are_people_of_their_own(tmp_path: Path, sure: None) -> None:
    unknown = [replace(each, subject="") for each in people(4)]
    out = write_with_ledger(tmp_path / "out", {"train": unknown})
    found = suspects(out, max_per_subject=1)
    assert found.people == len(found.rows) == 12


def test_the_text_shows_twenty_rows(out: Path, sure: None) -> None:
    found = suspects(out)
    text = found.text()
    assert text.count("a.zip/") == 20
    assert found.rows[19].key in text
    assert found.rows[20].key not in text
    assert text.startswith(f"about {found.wrong} of 24 labels of train and validation are wrong")
    assert text.endswith(f"build again with --labels {out / 'suspects.csv'} --overwrite")
    majority = replace(found, rule="majority").text()
    assert majority.endswith(f"with --labels majority+{out / 'suspects.csv'} --overwrite")
    assert found.to_dict()["rows"][0]["key"] == found.rows[0].key


def test_a_file_that_was_edited_is_not_overwritten(out: Path, sure: None) -> None:
    file = out / "suspects.csv"
    suspects(out)
    suspects(out, max_per_subject=2)
    file.write_text(file.read_text("utf-8").replace("중립", "기쁨", 1), "utf-8")
    edited = file.read_bytes()
    with pytest.raises(OutputError, match=r"suspects\.csv was edited: rename it"):
        suspects(out)
    assert file.read_bytes() == edited
    file.rename(out / "labels.csv")
    suspects(out)


# What is refused ----------------------------------------------------------------------------------


def test_without_cleanlab_one_line_says_what_to_install(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "fertools.inference.suspects.find_spec",
        lambda name: None if name == "cleanlab" else find(name),
    )
    with pytest.raises(DependencyError, match=r'pip install "fertools\[labels\]"$'):
        suspects(out)
    assert not (out / ".fertools").exists()


@pytest.mark.parametrize(
    ("photos", "folds", "message"),
    [
        (people(4), 5, "4 people, too few for --folds 5: give --folds 4 or less"),
        (people(1), 5, "1 people and 3 classes: suspects needs two of each"),
        ([each for each in people(9) if each.label == 1], 5, "9 people and 1 classes"),
    ],
)
def test_too_few_people_or_classes(
    photos: list[Example], folds: int, message: str, tmp_path: Path
) -> None:
    out = write_with_ledger(tmp_path / "out", {"train": photos})
    with pytest.raises(OptionError, match=message):
        suspects(out, folds=folds)


def test_a_dataset_without_its_ledger_is_refused(out: Path) -> None:
    (out / "ledger.parquet").unlink()
    with pytest.raises(DatasetError, match=r"has no ledger\.parquet, only what was passed on"):
        suspects(out)


def test_the_ledger_of_other_shards_is_refused(out: Path) -> None:
    table = pq.read_table(out / "ledger.parquet")
    labels = table["label"].to_pylist()
    labels[0], labels[1] = labels[1], labels[0]
    changed = table.set_column(table.column_names.index("label"), "label", pa.array(labels))
    pq.write_table(changed, out / "ledger.parquet")
    with pytest.raises(DatasetError, match="is not the ledger of these shards"):
        suspects(out, quiet=True)


# Training -----------------------------------------------------------------------------------------


def bars(label: int, who: int) -> bytes:
    """Draw a bar at a height that is the class, as bright as the person: PNG."""
    image = np.full((SIZE, SIZE), 20, np.uint8)
    image[2 + 5 * label : 5 + 5 * label] = 90 + 8 * (who % 20)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def drawn(who: int, shot: int, *, label: int, shown: int) -> Example:
    one = example(100 * who + shot, label, subject=f"p{who}")
    return replace(one, image=bars(shown, who))


@pytest.fixture(scope="module")
def swapped() -> set[str]:
    """Keys of every tenth photo of train and validation, whose labels are swapped."""
    pairs = [(who, shot) for who in range(12) for shot in range(12)]
    return {f"k{100 * who + shot}" for who, shot in pairs if (7 * who + shot) % 10 == 0}


@pytest.fixture
def noisy(tmp_path: Path, swapped: set[str]) -> Path:
    photos = []
    for who in range(15):
        for shot in range(12):
            wrong = f"k{100 * who + shot}" in swapped
            photos.append(drawn(who, shot, label=(shot + wrong) % 3, shown=shot % 3))
    train, validation, test = photos[:120], photos[120:144], photos[144:]
    copies = [replace(each, key=f"copy-{each.key}") for each in train[::5]]
    mixed = [each for pair in zip(train[::5], copies, strict=True) for each in pair]
    mixed += [each for row, each in enumerate(train) if row % 5]
    return write_with_ledger(
        tmp_path / "out", {"train": mixed, "validation": validation, "test": test}
    )


SMALL: Any = {"folds": 2, "depth": 8, "width": 8, "epochs": 30, "quiet": True}


@pytest.mark.slow
def test_swapped_labels_are_found_without_test_and_after_an_interruption(
    noisy: Path, swapped: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in noisy.glob("*-test.tfrecord-*"):
        shard.unlink()  # nobody reads it
    keep = out_of_fold._Store.keep
    kept: list[int] = []

    def killed(store: Any, number: int, probabilities: NDArray[np.float32]) -> None:
        kept.append(number)
        keep(store, number, probabilities)
        raise KeyboardInterrupt

    monkeypatch.setattr(out_of_fold._Store, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        suspects(noisy, **SMALL)
    (pixels,) = noisy.glob(".fertools/folds/*/pixels.npy")
    first = sha256((pixels.parent / "fold-0.npy").read_bytes()).digest()

    def counted(store: Any, number: int, probabilities: NDArray[np.float32]) -> None:
        kept.append(number)
        keep(store, number, probabilities)

    monkeypatch.setattr(out_of_fold._Store, "keep", counted)
    found = suspects(noisy, **SMALL)
    assert kept == [0, 1]
    assert not pixels.exists()
    assert sha256((pixels.parent / "fold-0.npy").read_bytes()).digest() == first
    assert found.photos == 144  # the copies are not judged
    worst = [row.key.removeprefix("a.zip/").removesuffix(".jpg") for row in found.rows[:18]]
    assert len(swapped & set(worst)) >= 0.8 * len(swapped)

    assert suspects(noisy, **SMALL) == found
    assert kept == [0, 1]  # nothing is trained again

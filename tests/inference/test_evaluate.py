"""Evaluation of a run: what is measured, what is refused, what the user is warned of."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from string import ascii_letters
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fertools import fonts
from fertools.dataset.manifest import ClassName, ImageSpec, LeakageReport
from fertools.dataset.shards import read_examples
from fertools.errors import DatasetError, OptionError, OutputError
from fertools.inference.evaluate import Evaluation, count_look, evaluate
from fertools.inference.plots import Face
from fertools.inference.predictions_file import SCHEMA
from fertools.training.checkpoints import WeightsId
from fertools.training.run import Run
from tests.training.fakes import CLASSES, Brightness, example, fake_run, write_dataset

Evaluate = Callable[..., Evaluation]


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """Draw no pictures, which takes half a second each time; keep the mistakes to be drawn."""
    kept: list[Face] = []
    for name in ("confusion_png", "reliability_png"):
        monkeypatch.setattr(f"fertools.inference.evaluate.{name}", lambda *_: b"")

    def keep(faces: list[Face]) -> bytes:
        kept[:] = faces
        return b""

    monkeypatch.setattr("fertools.inference.evaluate.mistakes_png", keep)
    return kept


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Evaluate a fake run on examples, with whatever of the run or the manifest is other."""

    def call(
        examples: list[Any], run: dict[str, Any] | None = None, split: Any = "test", **other: Any
    ) -> Evaluation:
        out = write_dataset(tmp_path / "out", examples, split, **other)
        fake = fake_run(tmp_path / "run", out, **run or {})
        monkeypatch.setattr(Run, "read", lambda folder: fake)
        return evaluate(tmp_path / "run", out, split=split)

    return call


def people(count: int, **fields: Any) -> list[Any]:
    """Give three photos each of some people, one a class, all of them shown as they are."""
    return [
        example(3 * who + label, label, subject=f"p{who}", **fields)
        for who in range(count)
        for label in range(3)
    ]


def test_figures_by_class_and_who_is_taken_for_what(evaluated: Evaluate) -> None:
    wrong = example(99, 0, shown=2, subject="p0")
    found = evaluated([*people(4), wrong]).metrics
    assert (found.photos, found.people) == (13, 4)
    assert found.accuracy.value == pytest.approx(12 / 13)
    assert found.confusion == ((4, 0, 1), (0, 4, 0), (0, 0, 4))
    assert [each.recall for each in found.classes] == [4 / 5, 1, 1]
    assert [each.precision for each in found.classes] == [1, 1, 4 / 5]
    assert found.loss == pytest.approx(-(12 * np.log(0.9) + np.log(0.05)) / 13, rel=1e-5)
    assert found.calibration_error == pytest.approx(12 / 13 - 0.9, abs=1e-6)


def test_what_is_written(evaluated: Evaluate, tmp_path: Path) -> None:
    found = evaluated([*people(4), example(99, 0, shown=2, subject="p0")])
    folder = tmp_path / "run" / "evaluation-test"
    assert found.folder == folder
    written = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(found.to_dict()))
    assert written["accuracy"]["value"] == pytest.approx(12 / 13)
    assert str(tmp_path) not in json.dumps(written)
    assert (written["weights_epoch"], written["weights_sha256"]) == (3, "a" * 64)  # V6
    assert "best weights (epoch 3) on test" in found.text()
    assert sorted(file.name for file in folder.iterdir()) == [
        "confusion.png",
        "metrics.json",
        "mistakes.png",
        "predictions.parquet",
        "reliability.png",
    ]


def test_predictions_have_a_row_for_each_example_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write_dataset(tmp_path / "out", [*people(2), example(99, 0, shown=2)], shards=3)
    fake = fake_run(tmp_path / "run", out)
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    evaluate(tmp_path / "run", out, batch=2)
    table = pq.read_table(tmp_path / "run" / "evaluation-test" / "predictions.parquet")
    assert table.schema.remove_metadata() == SCHEMA
    columns = table.to_pydict()
    found = [*read_examples(out, "test")]
    assert columns["key"] == [each.key for each in found]
    assert columns["label"] == [each.label for each in found]
    assert list(zip(columns["shard"], columns["index"], strict=True)) == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)
    ]  # fmt: skip
    shown = {"k99": 2} | {each.key: each.label for each in found if each.key != "k99"}
    assert columns["predicted"] == [shown[key] for key in columns["key"]]
    assert columns["probabilities"][0] == pytest.approx([0.9, 0.05, 0.05])


def test_calibration_is_told_with_the_temperature_and_without(evaluated: Evaluate) -> None:
    held = WeightsId("a" * 64, 3, temperature=2.0)
    found = evaluated([*people(4), example(99, 0, shown=2, subject="p0")], {"held": held})
    raw = np.array([0.9, 0.05]) ** 2 / (0.9**2 + 2 * 0.05**2)  # of logits that are not halved
    metrics = found.metrics
    assert metrics.temperature == 2 and metrics.unscaled is not None
    assert metrics.calibration_error == pytest.approx(12 / 13 - 0.9, abs=1e-6)
    assert metrics.unscaled.error == pytest.approx(raw[0] - 12 / 13, abs=1e-6)
    assert metrics.unscaled.loss == pytest.approx(-np.log(raw) @ [12, 1] / 13, rel=1e-5)
    assert "with temperature 2.00, fitted on validation; without it 0.4" in found.text()
    assert "no temperature was fitted" in evaluated(people(4)).text()


def voted() -> list[Any]:
    """Give 60 photos whose annotators say what they show, but for the third one of every fourth."""
    examples = []
    for row, each in enumerate(people(20)):
        votes = [0, 0, 0]
        votes[each.label] = 3 if row % 4 else 2
        votes[(each.label + 1) % 3] = 0 if row % 4 else 1
        examples.append(replace(each, votes=tuple(votes), uploader=each.label))
    return examples


def test_figures_against_the_annotators_end_with_the_ceiling(
    evaluated: Evaluate, tmp_path: Path
) -> None:
    found = evaluated(voted(), votes=True)
    assert found.votes is not None and found.votes.photos == 60
    assert found.votes.random is not None
    assert found.votes.random.value == pytest.approx((45 * 3 + 15 * 2) / 180)
    last = found.text().partition("agreement with a random annotator: 0.92 of a ceiling of 0.9")[2]
    assert last.endswith("the votes for these photos (Dawid-Skene)")
    metrics = (tmp_path / "run" / "evaluation-test" / "metrics.json").read_text("utf-8")
    tree = json.loads(metrics, parse_constant=pytest.fail)
    assert tree["votes"]["majority"]["value"] == 1


def test_votes_that_include_the_uploaders_word_are_left_out_and_told(evaluated: Evaluate) -> None:
    found = evaluated(voted(), votes=True, format=1)
    assert found.votes is None
    assert "in faces, of format 1, the uploader's word is one of the votes" in found.text()


def test_where_there_are_no_votes_nothing_is_said_of_them(evaluated: Evaluate) -> None:
    found = evaluated(people(20))
    assert found.votes is None and found.to_dict()["votes"] is None
    assert "annotator" not in found.text()


class Graded(Brightness):
    """Is the surer of an example the later it comes."""

    def predict_on_batch(self, images: Any) -> Any:
        sure = np.linspace(0.5, 0.9, len(images), dtype=np.float32)[:, None]
        chosen = super().predict_on_batch(images) > 0.5
        return np.where(chosen, sure, (1 - sure) / 2)


def test_mistakes_come_with_their_own_faces_the_most_confident_first(
    evaluated: Evaluate, shown: list[Face]
) -> None:
    wrong = {2: (0, 1), 5: (1, 2), 7: (2, 0)}
    examples = [
        example(row, *pair[:1], shown=pair[1])
        if (pair := wrong.get(row))
        else example(row, row % 3)
        for row in range(9)
    ]
    evaluated(examples, {"network": Graded()})
    assert [(face.label, face.predicted) for face in shown] == [
        ("neutral", "joy"),
        ("embarrassment", "neutral"),
        ("joy", "embarrassment"),
    ]
    assert [face.image for face in shown] == [examples[row].image for row in (7, 5, 2)]
    assert shown[0].confidence > shown[1].confidence > shown[2].confidence


def test_examples_are_shown_in_batches_and_none_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Brightness()
    out = write_dataset(tmp_path / "out", people(3))
    fake = fake_run(tmp_path / "run", out, network=network)
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    assert evaluate(tmp_path / "run", out, batch=4).metrics.photos == 9
    assert network.seen == [4, 4, 1]


def test_groups_under_20_people_have_no_figure(evaluated: Evaluate) -> None:
    women = people(20, sex="여", age=30)
    men = [replace(each, subject=f"m{each.subject}", sex="남") for each in people(19, age=20)]
    groups = {each.name: each for each in evaluated([*women, *men]).metrics.groups}
    assert {name: (each.people, each.photos) for name, each in groups.items()} == {
        "남 male": (19, 57),
        "여 female": (20, 60),
        "age 20": (19, 57),
        "age 30": (20, 60),
    }
    assert groups["남 male"].accuracy is None and groups["남 male"].macro_f1 is None
    shown = groups["여 female"].accuracy
    assert shown is not None and shown.value == 1


def test_photos_of_nobody_known_count_as_one_person_each_and_are_in_no_group(
    evaluated: Evaluate,
) -> None:
    unknown = [example(row, 0, subject="", sex="여", age=20) for row in range(30)]
    found = evaluated([*unknown, *people(2)]).metrics
    assert (found.people, found.unknown) == (2, 30)
    assert found.groups == ()
    assert "95 % intervals over 2 people and 30 photos without a person" in found.text()


def test_where_no_photo_carries_a_person_nobody_is_counted_and_doubts_are_told(
    evaluated: Evaluate,
) -> None:
    """V12 and T16: "95 % intervals over 1,360 people" of 1,360 photos."""
    found = evaluated([example(row, row % 3, subject="") for row in range(36)])
    assert (found.metrics.people, found.metrics.unknown) == (0, 36)
    text = found.text()
    assert "95 % intervals over 36 photos" in text and "36 people" not in text
    (warning,) = found.warnings
    assert warning.startswith("no photo carries a person: whether people of train are in this")
    assert "a leak cannot be excluded" in warning and "intervals are too narrow" in warning
    some = evaluated([*people(2), example(9, 0, subject="")])
    assert "1 of 7 photos carry no person" in some.warnings[0]


def test_a_group_holds_nobody_who_is_not_known(evaluated: Evaluate) -> None:
    unknown = [example(row, 0, subject="", sex="여", age=20) for row in range(30)]
    groups = evaluated([*unknown, *people(2, sex="여")]).metrics.groups
    assert [(each.name, each.people, each.photos) for each in groups] == [("여 female", 2, 6)]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"classes": CLASSES[:2]}, "has 3 classes (기쁨, 당황, 중립), "),
        ({"classes": (*CLASSES[:2], ClassName("슬픔", "sadness"))}, "슬픔"),
        ({"image": ImageSpec(64, "png")}, "--size 64"),
    ],
)
def test_a_dataset_that_does_not_fit_the_run_is_refused(
    evaluated: Evaluate, run: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError) as raised:
        evaluated(people(2), run)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_split_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write_dataset(tmp_path / "out", people(2), "train")
    fake = fake_run(tmp_path / "run", out)
    monkeypatch.setattr(Run, "read", lambda folder: fake)
    with pytest.raises(OptionError, match="no split 'test': take one of train"):
        evaluate(tmp_path / "run", out)


class Broken(Brightness):
    """A network whose weights have gone."""

    def predict_on_batch(self, images: Any) -> Any:
        return super().predict_on_batch(images) * np.nan


def test_weights_that_answer_nonsense_are_named(evaluated: Evaluate) -> None:
    with pytest.raises(DatasetError, match="add up to nan, not to 1"):
        evaluated(people(2), {"network": Broken()})


def test_an_image_of_another_size_is_named(evaluated: Evaluate) -> None:
    small = cv2.imencode(".png", np.zeros((8, 9), np.uint8))[1].tobytes()
    with pytest.raises(DatasetError, match="9×8 pixels where 16×16"):
        evaluated([replace(example(0, 0), image=small)])
    with pytest.raises(DatasetError, match="damaged"):
        evaluated([replace(example(0, 0), image=b"\x89PNG\r\n\x1a\n")])


def test_a_damaged_shard_is_named(evaluated: Evaluate, tmp_path: Path) -> None:
    evaluated(people(2))
    shard = tmp_path / "out" / "faces-test.tfrecord-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    with pytest.raises(DatasetError, match=shard.name):
        evaluate(tmp_path / "run", tmp_path / "out")


@pytest.mark.parametrize(
    ("split", "other", "run", "said"),
    [
        ("test", {}, {}, ""),
        ("validation", {}, {}, "the epoch was chosen on this split"),
        ("train", {}, {}, "trained on"),
        ("test", {"options": {"split_by": "image"}}, {}, "people of train are in this split too"),
        ("test", {"proof": LeakageReport(overlap=1)}, {}, "people of train are in this split too"),
        ("test", {}, {"dataset": {"manifest": "another"}}, "trained on another dataset"),
    ],
)
def test_what_makes_figures_look_better_is_said(
    evaluated: Evaluate, split: str, other: dict[str, Any], run: dict[str, Any], said: str
) -> None:
    found = evaluated(people(2), run, split, **other)
    assert len(found.warnings) == bool(said)
    assert said in "".join(found.warnings)
    assert all(f"warning: {warning}" in found.text() for warning in found.warnings)


def test_the_second_look_at_test_is_told_of(evaluated: Evaluate) -> None:
    first, second = evaluated(people(2)), evaluated(people(2))
    assert (first.looks, second.looks) == (1, 2)
    assert first.warnings == ()
    assert "evaluation 2 of test" in second.warnings[0]
    # Other people are a first look again, and the first ones are not forgotten meanwhile.
    assert evaluated(people(3)).looks == 1
    assert evaluated(people(2)).looks == 3


def test_a_look_is_not_forgotten_with_the_figures(evaluated: Evaluate, tmp_path: Path) -> None:
    """V6: `train --no-resume` removes the figures, and who saw test has seen it."""
    evaluated(people(2))
    fake_run(tmp_path / "run").store.clear()
    assert not (tmp_path / "run" / "evaluation-test").exists()
    assert evaluated(people(2)).looks == 2


def test_looks_that_come_at_once_all_count(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        looks = list(pool.map(lambda _: count_look(tmp_path, "test", "m", "w"), range(40)))
    assert sorted(looks) == list(range(1, 41))
    with (tmp_path / "looks.csv").open("a") as file:
        file.write("test,m,cut")  # as a power cut leaves it
    assert count_look(tmp_path, "test", "m", "w") == 42
    assert count_look(tmp_path, "validation", "m", "w") == 1


def test_a_run_that_cannot_be_written_is_one_line(
    evaluated: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T5's like: a read-only disk."""

    real = Path.open

    def refuse(path: Path, *given: Any, **named: Any) -> Any:
        if path.name == "looks.csv":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, *given, **named)

    examples = people(2)
    evaluated(examples)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=r"looks\.csv cannot be written: Read-only file system"):
        evaluated(examples)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch": 0}, "--batch 0: give a whole number, 1 or more"),
        ({"batch": "9"}, "--batch '9': give a whole number"),
        ({"split": "tset"}, "--split tset: choose test, validation or train"),
        ({"weights": "worst"}, "--weights worst: choose best or last"),
        ({"build": "module:function"}, "build 'module:function': give a function"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_first(
    options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """V16: `--batch 0` was an empty split."""
    with pytest.raises(OptionError, match=said):
        evaluate(tmp_path / "nowhere", tmp_path / "nowhere", **options)


def test_names_without_a_font_are_numbered_and_told(
    evaluated: Evaluate, shown: list[Face], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T6: empty boxes in confusion.png after --rename."""
    monkeypatch.setattr("fertools.fonts._letters", lambda file: frozenset(ascii_letters))
    fonts.fonts_for.cache_clear()
    renamed = (ClassName("기쁨", "불편"), *CLASSES[1:])
    examples = [*people(2), example(9, 0, shown=2)]
    found = evaluated(examples, {"classes": renamed}, classes=renamed)
    fonts.fonts_for.cache_clear()
    assert "in the pictures label 0 is 불편" in found.text()
    assert [(face.label, face.predicted) for face in shown] == [("label 0", "neutral")]
    assert found.warnings == ()


def test_what_a_person_reads(evaluated: Evaluate) -> None:
    text = evaluated([*people(25, sex="여", age=30), example(99, 0, shown=2, subject="p0")]).text()
    assert "accuracy   0.987 (0.9" in text
    assert " to 1.000)   95 % intervals over 25 people" in text
    assert "기쁨 joy" in text
    assert "여 female" in text
    assert "keep it here" in text

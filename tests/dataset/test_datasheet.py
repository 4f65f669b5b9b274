"""OUT/README.md says what the manifest says, whatever the options and names are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import fertools
from fertools.dataset.cards.croissant import croissant
from fertools.dataset.cards.datasheet import datasheet
from fertools.dataset.cards.markdown import escape, table
from fertools.dataset.example import features
from fertools.dataset.manifest import ClassName, LeakageReport, Manifest, SplitContents
from tests.dataset.conftest import manifest_of
from tests.dataset.test_manifest import SHARD, TRAIN
from tests.fakes import BrightSpot, write_archive

MANIFEST: Final = manifest_of({"train": TRAIN, "test": SplitContents(0, 0, {}, ())})
VOTED: Final = replace(
    MANIFEST,
    votes=True,
    rule="the class that at least two of three annotators chose; others are dropped",
    proof=LeakageReport(agreement={"불안": (1000, 378, 90)}, unlabelled=3, random_leak=(2, 3)),
    groups={"sex": {"": (1, 0), "여": (2, 1)}, "age": {"20": (3, 1)}},
    reliability={"alpha": 0.48, "pairs": 0.5642},
)


def text_of(manifest: Manifest, **options: Any) -> str:
    return datasheet(replace(manifest, options=manifest.options | options)).decode()


def test_its_figures_are_the_manifests() -> None:
    text = text_of(VOTED)
    for line in (
        "| 1 | 슬픔 sadness | 2 |",
        "|  | people | 2 |",
        "| sex unknown | 1 | 0 |",
        "| 여 female | 2 | 1 |",
        "| age 20 | 3 | 1 |",
        "| labels | the class that at least two of three annotators chose; others are dropped |",
        "| `no_face` | 2 |",
        "- People in more than one split: 0.",
        "- After a split by chance, 2 of 3 test photos would show a person of train.",
        "| 불안 | 1,000 | 37.8 % | 9.0 % |",
        "- Two votes for one photo agree in 56.4 %; Krippendorff's α is 0.480 (1 is perfect, 0 is "
        "chance), over all photos with a record.",
    ):
        assert f"\n{line}\n" in text, line


def test_augmented_copies_are_not_counted_as_photos() -> None:
    train = replace(
        TRAIN, records=6, classes={"기쁨": 2, "슬픔": 4}, shards=(replace(SHARD, records=6),)
    )
    options = MANIFEST.options | {"augment": 1}
    copied = replace(
        MANIFEST, splits={"train": train}, proof=LeakageReport(augmented=3), options=options
    )
    assert "\n6 gray crops of faces, 3 of them augmented copies, of 2 people, " in text_of(copied)
    assert json.loads(croissant(copied))["rai:dataBiases"][0] == "Photos of a class: 0 to 2."


def test_every_feature_of_an_example_is_explained() -> None:
    text = text_of(VOTED)
    for feature in features(3, uploader=True):
        assert f"\n| `{feature.name}` | " in text
    assert "| `image` | the crop: PNG, 8 × 8, one channel, uint8 |" in text
    assert "uploader" not in text_of(MANIFEST)


def test_what_is_not_recorded_is_left_out() -> None:
    text = text_of(replace(MANIFEST, options={}, libraries={}))
    assert "| group |" not in text
    assert "Krippendorff" not in text
    assert "Without votes it is not known how many labels are wrong" in text


def test_aihubs_figures_stand_where_the_classes_are_aihubs() -> None:
    assert "37.8 % of 불안" in text_of(MANIFEST)
    for other in ({"classes": "folders"}, {"preset": "kdef"}, {"pattern": "(?P<class>x)"}):
        text = text_of(MANIFEST, **other)
        assert "불안" not in text
        assert "AI-Hub" not in text
    assert "Lundqvist, Flykt, Öhman 1998" in text_of(MANIFEST, preset="kdef")


def test_it_says_first_whether_people_are_apart() -> None:
    assert ". No person is in more than one split.\n" in text_of(MANIFEST)
    shared = replace(MANIFEST, proof=LeakageReport(overlap=1))
    assert "1 person is in more than one split: figures of test are too good." in text_of(shared)
    assert "of 2 people" not in text_of(shared), "who is in two splits would count twice"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "official"}, "the archive's own halves"),
        ({"split_file": "sha256 00"}, "as a split file states"),
        ({"split_by": "image"}, "by photo, so that people are shared"),
        ({"detect": False}, "not looked for: the photos are crops of faces"),
        ({"square": True, "margin": 0.2, "align": True}, "widened by 0.2 of its longer side"),
        ({"on_many": "reject"}, "of several none: such photos are dropped"),
        ({"drop": ["상처"], "rename": ["분노=짜증"]}, "분노=짜증, without 상처"),
        ({"max_per_subject": 50, "duplicates": "drop"}, "at most 50 photos of a person"),
        ({"exact": True}, "decoded in full"),
        ({"square": True}, "made square, resized to 8 × 8"),
        ({"keep_names": True}, "do not give these shards away"),
    ],
)
def test_the_choices_of_a_build_are_said(options: dict[str, Any], said: str) -> None:
    assert said in text_of(MANIFEST, **options)


def test_names_cannot_be_markup() -> None:
    nasty = "a|b<script>`*_\x1b"
    classes = (ClassName(nasty, nasty), *MANIFEST.classes[1:])
    train = SplitContents(3, 2, {nasty: 3}, (SHARD,))
    manifest = replace(
        MANIFEST, classes=classes, splits={"train": train}, warnings=(f"{nasty} is small",)
    )
    text = datasheet(manifest).decode()
    shown = r"a\|b\<script\>\`\*\_\\x1b"
    assert f"\n| 0 | {shown} | 3 |\n" in text
    assert f"\n- A{shown[1:]} is small.\n" in text
    assert "<script>" not in text


def test_a_dataset_without_examples_or_people_has_one() -> None:
    empty = replace(
        MANIFEST, splits={}, counts=replace(MANIFEST.counts, members=2, kept=0), ledger=LEDGER
    )
    assert "It holds no examples." in datasheet(empty).decode()
    assert croissant(empty)
    alone = replace(TRAIN, subjects=0)
    text = datasheet(replace(MANIFEST, splits={"train": alone})).decode()
    assert "| people |" not in text
    assert "by photo (no person is known)" in text
    unstated = replace(MANIFEST, groups={"sex": {"": (3, 2)}, "age": {"20": (3, 2)}})
    assert "unknown" not in datasheet(unstated).decode()
    assert "Of 3 photos it is not known whom they show" in text


LEDGER: Final = replace(MANIFEST.ledger, rows=2)


def test_equal_manifests_have_equal_bytes_whatever_the_order_in_the_file() -> None:
    again = Manifest.from_json(VOTED.to_json())
    assert (datasheet(again), croissant(again)) == (datasheet(VOTED), croissant(VOTED))


def test_a_table_puts_numbers_on_the_right() -> None:
    cells = [("x", 1000, "9.5 %")]
    head = "| a | b | c |\n| --- | --: | --: |"
    assert table(("a", "b", "c"), cells) == f"{head}\n| x | 1,000 | 9.5 % |"
    assert escape("#1 [x](y) & ~z") == r"\#1 \[x\](y) \& \~z"


# Blocks of code, which tests/readers runs ---------------------------------------------------------


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset as it is built, with a README.md."""
    source = write_archive(tmp_path_factory.mktemp("datasheet") / "src")
    out = source.parent / "out"
    fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1)
    return out


def blocks(out: Path) -> dict[str, str]:
    """Return the blocks of Python by their headings."""
    text = (out / "README.md").read_text("utf-8")
    found = re.findall(r"^### (.+?)\n\n```python\n(.*?)```$", text, re.DOTALL | re.MULTILINE)
    return dict(found)


def test_there_is_a_block_for_each_tool(out: Path) -> None:
    assert [*blocks(out)] == [
        "fertools and PyTorch",
        "Grain",
        "tensorflow-datasets",
        "tf.data alone",
        "Hugging Face datasets",
    ]

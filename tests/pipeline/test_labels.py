"""Labels by probability and by a person's corrections, through the whole build."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.columns import Words
from fertools.data import Drop, Member, Reason
from fertools.errors import OptionError
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS
from fertools.labels.votes import VoteTable
from fertools.options import LabelOptions
from fertools.pipeline.labelling.classify import Classes
from fertools.votes import dawid_skene
from tests.fakes import members_of, photo_name, write_archive
from tests.faults.test_verify import other_ledger, problems
from tests.labels.label_json import entry, label_file
from tests.pipeline.test_truth import build, ledger

#: What is said of a photo of each emotion: of 불안 often 슬픔, of the others mostly the truth.
_SAYS = {
    "기쁨": ["기쁨"] * 9 + ["슬픔"],
    "불안": ["불안"] * 6 + ["슬픔"] * 4,
    "슬픔": ["슬픔"] * 9 + ["불안"],
}
_NAMED = list(_SAYS)


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people, four photos each of three emotions, all but one with a record."""
    source = tmp_path_factory.mktemp("labels") / "src"
    write_archive(source, people=10, shots=4, emotions=("기쁨", "불안", "슬픔"))
    names = sorted(path.name for path in source.rglob("*.jpg"))
    dice = np.random.default_rng(5)
    entries = []
    for name in names[1:]:
        emotion = name.split("_")[3]
        *votes, uploader = (str(word) for word in dice.choice(_SAYS[emotion], 4))
        entries.append(entry(name, votes, uploader=uploader))
    (source / "labels.json").write_bytes(label_file(*entries))
    return source


def posteriors(rows: list[dict[str, Any]]) -> list[np.ndarray[Any, Any]]:
    """Fit the model to a ledger's words, by nothing that the build uses but the model itself."""
    order = _NAMED
    said = [[row[f"annot_{slot}"] for slot in "abc"] for row in rows]
    counts = np.array([[words.count(word) for word in order] for words in said])
    uploader = np.array([order.index(row["uploader"]) for row in rows])
    return list(dawid_skene.fit(counts, uploader).posterior(counts, uploader))


def test_a_photo_gets_the_class_that_is_probable_enough(voted: Path, tmp_path: Path) -> None:
    build(voted, tmp_path / "out", labels="posterior:0.9")
    rows = [row for row in ledger(tmp_path / "out").values() if row["uploader"]]
    assert len(rows) == 119
    order, outcomes = _NAMED, Counter(row["outcome"] for row in rows)
    assert outcomes["disputed"] > 5
    assert outcomes["kept"] > 60
    for row, probabilities in zip(rows, posteriors(rows), strict=True):
        best = int(probabilities.argmax())
        if probabilities[best] >= 0.9:
            assert (row["outcome"], row["label"]) == ("kept", order[best])
        else:
            assert row["outcome"] == "disputed"
            told = f"; most likely {order[best]}, {probabilities[best]:.3f}"
            assert row["detail"].endswith(told)
            said = Counter(row[slot] for slot in ("annot_a", "annot_b", "annot_c"))
            assert all(f"{word} {votes}" in row["detail"] for word, votes in said.items())


def test_a_photo_without_a_record_is_disputed_or_keeps_its_name(
    voted: Path, tmp_path: Path
) -> None:
    name = sorted(path.name for path in voted.rglob("*.jpg"))[0]
    build(voted, tmp_path / "out", labels="posterior:0.9")
    row = ledger(tmp_path / "out")[name]
    assert (row["outcome"], row["label"]) == ("disputed", None)
    report = build(voted, tmp_path / "kept", labels="posterior:0.9", disputed="keep")
    assert report.manifest.counts.dropped == {"label_file": 1}
    assert ledger(tmp_path / "kept")[name]["label"] == name.split("_")[3]


def test_emotions_of_one_class_are_probable_together(voted: Path, tmp_path: Path) -> None:
    """Photos between 불안 and 슬픔 are certain where both are one class."""
    apart = build(voted, tmp_path / "apart", labels="posterior:0.9").manifest.counts
    joined = build(
        voted, tmp_path / "joined", labels="posterior:0.9", rename={"불안": "부정", "슬픔": "부정"}
    ).manifest.counts
    assert joined.dropped["disputed"] < apart.dropped["disputed"] / 2


def test_emotions_that_no_photo_is_named_by_do_not_divide_the_others() -> None:
    """Of two downloaded classes, the model took photos of one for two others as well."""
    rng, names = np.random.default_rng(3), [*EMOTIONS]
    truth = rng.choice([names.index("기쁨"), names.index("중립")], 2000)
    errors = rng.dirichlet(np.ones(7), 7)
    says = 0.8 * np.eye(7) + 0.2 * errors
    votes = np.array([rng.choice(7, 3, p=says[word]) for word in truth])
    votes[0] = names.index("당황")
    table = VoteTable(np.column_stack([truth, votes]).astype(np.int8), np.ones(2000, np.bool_))
    options = LabelOptions(classes="aihub7", labels="posterior:0.9")
    emotions = Words(truth.astype(np.int32), names)
    members = members_of(Member(f"{i}.jpg", "", b"", 1, 0) for i in range(2000))
    found = Classes.by_rule(options, ClassMap.of(options, ()), members, emotions, table)
    sure = (votes == truth[:, np.newaxis]).all(axis=1)
    assert (found.class_or_drop[sure] == truth[sure]).all()
    drop = found.drops[-1 - found.class_or_drop[0]]
    assert drop == Drop(Reason.DISPUTED, "당황 3; no photo is named 당황")


def test_votes_that_name_no_emotion_decide_nothing(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=3)
    names = [path.name for path in source.rglob("*.jpg")]
    (source / "labels.json").write_bytes(label_file(*(entry(n, ["알수없음"] * 3) for n in names)))
    with pytest.raises(OptionError, match=r"no annotator names an emotion .* use --labels name"):
        build(source, tmp_path / "out", labels="posterior:0.8")
    assert not (tmp_path / "out").exists()


def fixes(tmp_path: Path, voted: Path, *rows: str, head: str = "key,label,who,why") -> Path:
    """Write corrections of photos, each named by its file name."""
    keys = {path.name: path.relative_to(voted).as_posix() for path in voted.rglob("*.jpg")}
    lines = [f"{keys[name]},{rest}" for name, _, rest in (row.partition(",") for row in rows)]
    file = tmp_path / "fixes.csv"
    file.write_text("\n".join([head, *lines, ""]), encoding="utf-8-sig")
    return file


JOY, FEAR = photo_name(3, "기쁨", 0), photo_name(4, "불안", 1)


def test_corrections_overrule_the_name_and_are_in_the_ledger(voted: Path, tmp_path: Path) -> None:
    file = fixes(
        tmp_path,
        voted,
        f"{JOY},sadness,kim,she is crying",
        f"{FEAR},drop,lee,a statue",
        f"{photo_name(5, '불안', 1)},불안,lee,right as it is",
    )
    report = build(voted, tmp_path / "out", labels=str(file))
    rows = ledger(tmp_path / "out")
    assert (rows[JOY]["label"], rows[JOY]["emotion"]) == ("슬픔", "기쁨")
    assert rows[JOY]["corrected"] == "기쁨 → 슬픔 by kim: she is crying"
    assert (rows[FEAR]["outcome"], rows[FEAR]["detail"]) == ("rejected", "by lee: a statue")
    assert rows[FEAR]["corrected"] == "불안 → rejected by lee: a statue"
    assert sum(row["corrected"] is not None for row in rows.values()) == 2
    manifest = report.manifest
    assert manifest.counts.dropped == {"label_file": 1, "rejected": 1}
    assert manifest.options["labels"] == f"name+sha256 {sha256(file.read_bytes()).hexdigest()}"
    rule = "the class in the photo's name or folder; then corrections by hand, of 2 photos"
    assert manifest.rule == rule
    assert f"labels: {rule}" in fertools.stats(tmp_path / "out").text()
    assert f"\n| labels | {rule} |\n" in (tmp_path / "out" / "README.md").read_text("utf-8")
    assert fertools.verify(tmp_path / "out", voted, quiet=True).problems == ()


def test_corrections_overrule_another_rule(voted: Path, tmp_path: Path) -> None:
    build(voted, tmp_path / "out", labels="unanimous")
    rows = ledger(tmp_path / "out")
    disputed = next(name for name, row in rows.items() if row["outcome"] == "disputed")
    file = fixes(tmp_path, voted, f"{disputed},당황,,")
    report = build(voted, tmp_path / "fixed", labels=f"unanimous+{file}")
    row = ledger(tmp_path / "fixed")[disputed]
    assert (row["outcome"], row["label"]) == ("kept", "당황")
    assert row["corrected"] == "disputed → 당황 by hand"
    assert report.manifest.rule.startswith("the class that all three annotators chose; others are")


def test_a_list_of_suspects_comes_back_with_the_keys_of_the_shards(
    voted: Path, tmp_path: Path
) -> None:
    build(voted, tmp_path / "out")
    key = next(iter(fertools.read_examples(tmp_path / "out"))).key
    file = tmp_path / "suspects.csv"
    file.write_text(f"key,label,suggested,quality,corrected\n{key},기쁨,당황,0.01,당황\n", "utf-8")
    build(voted, tmp_path / "fixed", labels=str(file))
    (row,) = (row for row in ledger(tmp_path / "fixed").values() if row["corrected"])
    assert row["label"] == "당황"
    assert row["corrected"] == f"{row['emotion']} → 당황 by hand"


def test_other_corrections_are_another_build(voted: Path, tmp_path: Path) -> None:
    file = fixes(tmp_path, voted, f"{JOY},중립,kim,")
    build(voted, tmp_path / "out", labels=str(file))
    before = (tmp_path / "out" / "metadata.json").read_bytes()
    moved = file.rename(tmp_path / "moved.csv")
    build(voted, tmp_path / "out", labels=str(moved))
    assert (tmp_path / "out" / "metadata.json").read_bytes() == before, "the path is not recorded"
    fixes(tmp_path, voted, f"{JOY},상처,kim,")
    with pytest.raises(fertools.errors.OutputError, match=r"labels name\+sha256 .* \(now name"):
        build(voted, tmp_path / "out", labels=str(file))


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("somewhere.jpg,슬픔,,", "line 2: somewhere.jpg is no photo of the archive"),
        ("labels.json,슬픔,,", "line 2: labels.json is no photo of the archive"),
    ],
)
def test_a_mistake_in_a_file_is_one_line_before_the_work(
    voted: Path, tmp_path: Path, row: str, line: str
) -> None:
    file = tmp_path / "fixes.csv"
    file.write_text(f"key,label,who,why\n{row}\n", "utf-8")
    with pytest.raises(OptionError) as error:
        build(voted, tmp_path / "out", labels=str(file))
    assert line in str(error.value)
    assert not (tmp_path / "out").exists()
    file = fixes(tmp_path, voted, f"{JOY},혐오,,")
    with pytest.raises(OptionError, match="line 2: 혐오: no such class"):
        build(voted, tmp_path / "out", labels=str(file))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("corrected", "기쁨 → 당황 by kim", "is not what a person made it: 기쁨 → 당황 by kim"),
        ("corrected", None, "it has corrections of 1 photos, the manifest says: the class in"),
        ("label", "당황", "is not what a person made it: 기쁨 → 슬픔 by kim"),
    ],
)
def test_corrections_that_are_not_those_of_the_build_are_found(
    voted: Path, tmp_path: Path, column: str, value: object, told: str
) -> None:
    file = fixes(tmp_path, voted, f"{JOY},슬픔,kim,", f"{FEAR},drop,,")
    build(voted, tmp_path / "out", labels=str(file))
    assert problems(tmp_path / "out") == ""
    rows = pq.read_table(tmp_path / "out" / "ledger.parquet").to_pylist()
    row = next(i for i, row in enumerate(rows) if row["corrected"] == "기쁨 → 슬픔 by kim")
    other_ledger(tmp_path / "out", column, row, value)
    assert told in problems(tmp_path / "out")

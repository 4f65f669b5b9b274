"""Whatever differs from what was built is found and named."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.dataset.index import INDICES, index_name
from fertools.errors import DatasetError, SourceError
from tests.fakes import BrightSpot, photo, photo_name, write_archive
from tests.labels.label_json import entry, label_file


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("verify") / "src")


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    """A dataset of 60 examples, never written to."""
    out = source.parent / "out"
    fertools.build_dataset(
        source, out, detector=BrightSpot(), size=16, shard_size="6KB", quiet=True, jobs=1
    )
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A copy of the published files, and of the secret behind their pseudonyms, to spoil."""
    ignore = shutil.ignore_patterns("parts", "shards", "plan.arrow", "build.json", "lock")
    return Path(shutil.copytree(whole, tmp_path / "out", ignore=ignore))


def published(out: Path) -> list[Path]:
    return sorted(path for path in out.iterdir() if path.is_file())


def problems(out: Path, source: Path | None = None) -> str:
    return "\n".join(fertools.verify(out, source, quiet=True).problems)


def test_a_dataset_is_what_was_built(out: Path, source: Path) -> None:
    verdict = fertools.verify(out, source, quiet=True)
    assert verdict.ok, verdict.text()
    assert verdict.examples == 60
    assert verdict.files == len(published(out))


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="coreutils are not here")
def test_the_checksums_are_those_that_sha256sum_reads(out: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        check=False,
        cwd=out,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.count("OK")) == (0, len(published(out)) - 1)


def flips(out: Path, number: int) -> list[tuple[Path, int, int]]:
    """Draw bits over all bytes of all files, and one at each end of every file."""
    dice = random.Random(7)
    files = [(path, path.stat().st_size) for path in published(out)]
    drawn = dice.choices([path for path, _ in files], [size for _, size in files], k=number)
    sizes = dict(files)
    anywhere = [(path, dice.randrange(sizes[path]), dice.randrange(8)) for path in drawn]
    ends = [(path, at, 0) for path, size in files for at in (0, size - 1)]
    return anywhere + ends


def missed(out: Path, number: int) -> list[str]:
    """Flip bits, one at a time, and give those that nobody noticed."""
    unseen = []
    for path, at, bit in flips(out, number):
        data = bytearray(path.read_bytes())
        data[at] ^= 1 << bit
        path.write_bytes(data)
        if fertools.verify(out, quiet=True).ok:
            unseen.append(f"{path.name} byte {at} bit {bit}")
        data[at] ^= 1 << bit
        path.write_bytes(data)
    return unseen


@pytest.mark.parametrize("number", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_bit_flipped_anywhere_is_found(out: Path, number: int) -> None:
    assert missed(out, number) == []
    assert fertools.verify(out, quiet=True).ok


def test_text_that_is_none_any_more_is_found(out: Path) -> None:
    path = out / "ledger.parquet"
    whole, unread = path.read_bytes(), 0
    for at in range(4, len(whole) // 2, 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        verdict = fertools.verify(out, quiet=True)
        assert not verdict.ok
        unread += "utf-8" in str(verdict.problems)
    path.write_bytes(whole)
    assert unread > 0


def test_every_bit_of_the_manifest_counts(out: Path) -> None:
    path = out / "metadata.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert not fertools.verify(out, quiet=True).ok, at


def test_a_manifest_that_makes_sense_but_is_another_is_found(out: Path) -> None:
    path = out / "metadata.json"
    path.write_text(path.read_text("utf-8").replace('"margin": 0.0', '"margin": 0.1'), "utf-8")
    assert "SHA256SUMS: it is not what the manifest and the ledger make of it" in problems(out)


def train(out: Path) -> list[Path]:
    return sorted(out.glob("faces-train.tfrecord-*"))


def index(out: Path) -> Path:
    return out / index_name(train(out)[0].name)


def move_a_record(out: Path) -> None:
    """Let the second record begin a byte later."""
    lines = [line.split() for line in index(out).read_text("ascii").splitlines()]
    (_, first), (begin, second) = lines[:2]
    lines[0][1], lines[1] = str(int(first) + 1), [str(int(begin) + 1), str(int(second) - 1)]
    index(out).write_text("".join(f"{a} {b}\n" for a, b in lines), "ascii")


def cut_between_records(out: Path) -> None:
    data = train(out)[0].read_bytes()
    length = int.from_bytes(data[:8], "little") + 16
    train(out)[0].write_bytes(data[: len(data) - length] if length < len(data) else data[:length])


def swap(out: Path) -> None:
    first, second = train(out)[:2]
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda out: train(out)[0].unlink(), "faces-train.tfrecord-00000-of-0000"),
        (lambda out: (out / "features.json").unlink(), "features.json: it is missing"),
        (lambda out: (out / "SHA256SUMS").unlink(), "SHA256SUMS: it is missing"),
        (
            lambda out: (out / "faces-train.tfrecord-00007-of-00009").touch(),
            "faces-train.tfrecord-00007-of-00009: it looks like a shard and is not of this dataset",
        ),
        (lambda out: (out / "label.labels.txt").write_text("joy\n"), "label.labels.txt"),
        (lambda out: train(out)[0].write_bytes(b""), "0 bytes, the manifest says"),
        (lambda out: (out / "ledger.parquet").write_bytes(b"PAR1"), "it cannot be read"),
        (cut_between_records, "its SHA-256 is not the manifest's"),
        (swap, "differs from its row in"),
        (move_a_record, ": it does not say where the shard's records are"),
        (lambda out: index(out).unlink(), "faces-train.idx-00000-of-0000"),
    ],
)
def test_what_was_done_to_a_file_is_named(
    out: Path, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(out)
    assert told in problems(out)


def test_an_index_that_the_manifest_vouches_for_is_compared_with_its_shard(out: Path) -> None:
    move_a_record(out)
    whole, other = (hashlib.sha256(data).hexdigest() for data in indices(out))
    text = (out / "metadata.json").read_text("utf-8").replace(whole, other)
    (out / "metadata.json").write_text(text, "utf-8")
    sums = (out / "SHA256SUMS").read_text("utf-8").replace(whole, other)
    digest = hashlib.sha256(text.encode()).hexdigest()
    sums = re.sub(r"[0-9a-f]+(?=  metadata.json)", digest, sums)
    (out / "SHA256SUMS").write_text(sums, "utf-8")
    name = index(out).name
    assert problems(out).splitlines() == [
        f"{name}: the manifest's SHA-256 is not that of the shard's index",
        f"{name}: it does not say where the shard's records are",
    ]


def indices(out: Path) -> tuple[bytes, bytes]:
    """Return the index that the first shard has by its length fields, and its index file."""
    data, at, lines = train(out)[0].read_bytes(), 0, b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little") + 16
        lines += b"%d %d\n" % (at, length)
        at += length
    return lines, index(out).read_bytes()


def test_an_index_is_what_dali_reads(out: Path) -> None:
    made, written = indices(out)
    assert written == made


def test_a_dataset_without_indices_is_verified_and_an_index_of_another_tool_noted(
    out: Path,
) -> None:
    """As builds of fertools before the index wrote it."""
    tree = json.loads((out / "metadata.json").read_text("utf-8"))
    for split in tree["splits"].values():
        for shard in split["shards"]:
            del shard["index"]
    text = json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (out / "metadata.json").write_text(text, "utf-8")
    lines = (out / "SHA256SUMS").read_text("utf-8").splitlines(keepends=True)
    sums = "".join(line for line in lines if ".idx-" not in line)
    digest = hashlib.sha256(text.encode()).hexdigest()
    sums = re.sub(r"[0-9a-f]+(?=  metadata.json)", digest, sums)
    (out / "SHA256SUMS").write_text(sums, "utf-8")
    verdict = fertools.verify(out, quiet=True)
    assert verdict.problems == ()
    assert f"{index(out).name} is not of this dataset" in verdict.notes
    for path in out.glob(INDICES):
        path.unlink()
    assert fertools.verify(out, quiet=True).problems == ()


def other_ledger(out: Path, column: str, row: int, value: object) -> None:
    """Write another ledger, with the manifest and the checksums that would go with it."""
    from hashlib import sha256

    from fertools.dataset.manifest import SPLITS_CSV, Manifest
    from fertools.dataset.sidecars import CHECKSUMS, sha256sums
    from fertools.splits.split_file import write_splits

    table = pq.read_table(out / "ledger.parquet")
    values = table[column].to_pylist()
    values[row] = value
    at = table.column_names.index(column)
    table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.types[at]))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue()
    (out / "ledger.parquet").write_bytes(data)
    tree = json.loads((out / "metadata.json").read_text("utf-8"))
    tree["ledger"]["sha256"] = sha256(data).hexdigest()
    manifest = Manifest.from_json(json.dumps(tree))
    (out / "metadata.json").write_text(manifest.to_json(), "utf-8")
    splits = b"".join(write_splits(table.to_batches()))
    (out / SPLITS_CSV).write_bytes(splits)
    digests = (sha256(text).hexdigest() for text in (manifest.to_json().encode(), splits))
    (out / CHECKSUMS).write_bytes(sha256sums(manifest, *digests))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("label", "분노", "label"),
        ("subject", "somebody else", "subject"),
        ("x1", 7777, "in box"),
        ("confidence", 0.25, "in confidence"),
        ("key", "another.jpg", "in key"),
        ("outcome", "no_face", "its outcomes are not the manifest's counts"),
        ("split", None, "is kept and in split None"),
    ],
)
def test_a_ledger_that_tells_another_story_is_found(
    out: Path, column: str, value: object, told: str
) -> None:
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    row = next(i for i, row in enumerate(rows) if row["label"] != "분노")
    other_ledger(out, column, row, value)
    assert told in problems(out)


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 20 examples with votes, talk5's classes and names; never written to."""
    folder = tmp_path_factory.mktemp("voted")
    source = write_archive(folder / "src", shots=1, emotions=("기쁨", "분노"))
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    votes = ("분노", "불안", "알수없음")
    entries = [entry(name, votes, uploader=name.split("_")[3]) for name in names[1:]]
    (source / "labels.json").write_bytes(label_file(*entries))
    fertools.build_dataset(
        source, folder / "out", detector=BrightSpot(), size=16, classes="talk5", quiet=True, jobs=1
    )
    return folder / "out"


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("votes", [1, 0, 0, 1, 0], ["has other votes than its annotators", "its row in votes"]),
        ("votes", None, ["has other votes than its annotators", "differs from its row in votes"]),
        ("annot_a", "슬픔", ["has other votes than its annotators"]),
        ("annot_c", "분노", ["has other votes than its annotators"]),
        ("uploader", "중립", ["differs from its row in uploader"]),
        ("uploader", None, ["differs from its row in uploader"]),
    ],
)
def test_votes_that_are_not_what_was_said_are_found(
    voted: Path, tmp_path: Path, column: str, value: object, told: list[str]
) -> None:
    ignore = shutil.ignore_patterns("parts", "shards", "plan.arrow", "build.json", "lock")
    out = Path(shutil.copytree(voted, tmp_path / "out", ignore=ignore))
    assert problems(out) == ""
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    row = next(i for i, row in enumerate(rows) if row["uploader"] == "기쁨")
    assert rows[row]["votes"] == [1, 0, 0, 0, 0]
    other_ledger(out, column, row, value)
    found = problems(out)
    assert all(line in found for line in told)


def test_a_ledger_without_the_columns_of_format_2_is_found(voted: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(voted, tmp_path / "out"))
    table = pq.read_table(out / "ledger.parquet").drop_columns(["annot_b"])
    pq.write_table(table, out / "ledger.parquet")
    assert "ledger.parquet: it cannot be read" in problems(out)


def test_a_person_in_two_splits_is_named(out: Path) -> None:
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    tested = next(row["subject"] for row in rows if row["split"] == "test")
    trained = next(i for i, row in enumerate(rows) if row["split"] == "train")
    other_ledger(out, "subject", trained, tested)
    assert f"{tested}: this person is in test and train" in problems(out)


def test_overlap_report_does_not_switch_the_check_of_people_off(
    source: Path, tmp_path: Path
) -> None:
    """V9: without --split official nobody may be in two splits, whatever --overlap says."""
    out = tmp_path / "out"
    fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1)
    manifest = json.loads((out / "metadata.json").read_bytes())
    manifest["options"]["overlap"] = "report"  # as 0.1.0 let it be given without effect
    (out / "metadata.json").write_text(json.dumps(manifest))
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    tested = next(row["subject"] for row in rows if row["split"] == "test")
    trained = next(i for i, row in enumerate(rows) if row["split"] == "train")
    other_ledger(out, "subject", trained, tested)
    assert f"{tested}: this person is in test and train" in problems(out)


def test_more_people_in_two_splits_than_the_manifest_says_are_found(
    source: Path, tmp_path: Path
) -> None:
    """V9: the check compares, it is not switched off."""
    out = tmp_path / "out"
    lines = ["subject,split"]
    subjects = sorted({path.name.partition("_")[0] for path in source.rglob("*.jpg")})
    lines += [f"{subject},{'test' if i < 3 else 'train'}" for i, subject in enumerate(subjects)]
    (tmp_path / "s.csv").write_text("\n".join(lines), "utf-8")
    fertools.build_dataset(
        source,
        out,
        detector=BrightSpot(),
        size=16,
        quiet=True,
        jobs=1,
        split_file=str(tmp_path / "s.csv"),
    )
    assert fertools.verify(out, quiet=True).ok
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    tested = next(row["subject"] for row in rows if row["split"] == "test")
    other_ledger(
        out, "subject", next(i for i, r in enumerate(rows) if r["split"] == "train"), tested
    )
    assert f"{tested}: this person is in test and train" in problems(out)


def test_equal_files_in_two_splits_are_found(out: Path) -> None:
    """R13: copies across splits are compared with what the manifest says."""
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    tested = next(row["digest"] for row in rows if row["split"] == "test")
    other_ledger(
        out, "digest", next(i for i, r in enumerate(rows) if r["split"] == "train"), tested
    )
    assert problems(out) == (
        "1 files lie in more than one split byte for byte, the manifest says 0 pictures"
    )


def test_two_rows_at_one_place_are_found(out: Path) -> None:
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    there = [i for i, r in enumerate(rows) if (r["split"], r["shard"]) == ("train", 0)]
    other_ledger(out, "index", there[1], rows[there[0]]["index"])
    assert "two rows have one index in faces-train" in problems(out)


def test_a_key_that_stands_there_twice_is_found(out: Path) -> None:
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    other_ledger(out, "key", 1, rows[0]["key"])
    assert "ledger.parquet: a key occurs twice" in problems(out)


@pytest.mark.parametrize("name", [".DS_Store", ".nfs0000000001", "NOTES.md", "desktop.ini"])
def test_foreign_files_are_noted_and_do_no_harm(out: Path, name: str) -> None:
    """A7: what a file manager or a network disk leaves is no difference of the dataset."""
    (out / name).write_bytes(b"x")
    verdict = fertools.verify(out, quiet=True)
    assert verdict.ok
    assert verdict.notes == (f"{name} is not of this dataset",)
    assert f"note: {name} is not of this dataset" in verdict.text()
    assert verdict.files == len(published(out)) - 1


#: What fertools 0.1.0 wrote at 93709e0: no warnings, no proof.unknown_people.
OLD = """{
 "classes": [
  {
   "english": "joy",
   "name": "기쁨"
  },
  {
   "english": "sadness",
   "name": "슬픔"
  }
 ],
 "counts": {
  "dropped": {
   "no_face": 1
  },
  "kept": 2,
  "members": 3
 },
 "fertools": "0.1.0",
 "format": 1,
 "image": {
  "format": "png",
  "size": 16
 },
 "ledger": {
  "file": "ledger.parquet",
  "rows": 3,
  "sha256": "0000000000000000000000000000000000000000000000000000000000000000"
 },
 "libraries": {
  "numpy": "2.2.6"
 },
 "name": "faces",
 "options": {
  "seed": 0,
  "split": "80/20/0"
 },
 "proof": {
  "agreement": {},
  "augmented": 0,
  "copies_across": 0,
  "deviation": {
   "기쁨": [
    20.0,
    -20.0,
    0.0
   ]
  },
  "largest_tie": 1,
  "overlap": 0,
  "random_leak": [
   0,
   0
  ],
  "ties": 0,
  "unlabelled": 0,
  "unmatched": 0
 },
 "source": "c0ffee",
 "splits": {
  "train": {
   "classes": {
    "기쁨": 2
   },
   "records": 2,
   "shards": [
    {
     "bytes": 300,
     "file": "faces-train.tfrecord-00000-of-00001",
     "records": 2,
     "sha256": "abababababababababababababababababababababababababababababababab"
    }
   ],
   "subjects": 0
  }
 },
 "version": "1.0.0",
 "votes": false
}
"""


def keys_of(tree: object) -> object:
    """Give the names of a manifest's own fields, which no archive decides."""
    assert isinstance(tree, dict)
    return sorted(tree), sorted(tree["proof"]), sorted(tree["counts"]), sorted(tree["ledger"])


def test_a_dataset_of_an_older_version_is_read_and_verified(out: Path) -> None:
    """A10: fields that its manifest lacks have their defaults, and its text stays its own."""
    from hashlib import sha256

    from fertools.dataset.manifest import SPLITS_CSV, Manifest
    from fertools.dataset.sidecars import CHECKSUMS, readme, sha256sums

    old = Manifest.from_json(OLD)
    assert (old.warnings, old.proof.unknown_people, old.unknown_people) == ((), 0, 2)
    tree = json.loads((out / "metadata.json").read_text("utf-8"))
    for name in ("warnings", "unread", "rule", "groups", "reliability", "cards"):
        del tree[name]
    del tree["proof"]["unknown_people"]
    assert keys_of(tree) == keys_of(json.loads(OLD))
    text = json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (out / "metadata.json").write_text(text, "utf-8")
    assert "SHA256SUMS" in problems(out)
    manifest = Manifest.from_json(text)
    (out / "README.md").write_bytes(readme(manifest))
    digests = (sha256(d).hexdigest() for d in (text.encode(), (out / SPLITS_CSV).read_bytes()))
    (out / CHECKSUMS).write_bytes(sha256sums(manifest, *digests))
    verdict = fertools.verify(out, quiet=True)
    assert verdict.ok, verdict.text()
    assert verdict.notes == ("croissant.json is not of this dataset",)
    assert "from its share" in fertools.stats(out).text()


def test_the_archive_is_held_against_the_ledger(whole: Path, source: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(source, tmp_path / "src"))
    assert problems(whole, other) == ""
    photos = sorted(other.rglob("*.jpg"))
    photos[0].unlink()
    photos[1].write_bytes(photos[1].read_bytes() + b"x")
    (other / photo_name(1, "중립", 1)).write_bytes(photo())
    told = problems(whole, other)
    assert "a row, not in the archive" in told
    assert "in the archive, without a row" in told
    assert "in its row" in told
    with pytest.raises(SourceError):
        fertools.verify(whole, tmp_path / "nowhere")


def test_what_is_no_dataset_is_an_error_and_not_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no dataset"):
        fertools.verify(tmp_path)
    (tmp_path / ".fertools").mkdir()
    with pytest.raises(DatasetError, match="is not complete: run the same build-dataset command"):
        fertools.verify(tmp_path)


def test_the_command_says_it_with_its_exit_code(out: Path, source: Path) -> None:
    command = [sys.executable, "-m", "fertools", "verify", str(out), "--source", str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, "is as it was built" in done.stdout) == (0, True)
    for path in train(out):
        path.write_bytes(b"")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not as it was built" in done.stdout
    assert "Traceback" not in done.stderr


def test_labels_are_noted_only_if_they_are_of_another_ledger(voted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(voted, out)
    fertools.measure_labels(out)
    verdict = fertools.verify(out, quiet=True)
    assert verdict.ok and verdict.notes == ()
    table = pq.read_table(out / "labels.parquet").replace_schema_metadata({"fertools.ledger": "0"})
    pq.write_table(table, out / "labels.parquet")
    verdict = fertools.verify(out, quiet=True)
    assert verdict.ok
    assert verdict.notes == (
        f"labels.parquet is of another build: fertools labels {out} makes it again",
    )

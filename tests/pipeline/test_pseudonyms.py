"""R11: names in the shards are keyed with a secret that does not travel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.dataset.shards import read_examples
from fertools.errors import OptionError, OutputError
from fertools.hashing import pseudonym
from tests.fakes import BrightSpot, person, write_archive
from tests.faults.history import digests


def build(source: Path, out: Path, **options: Any) -> set[str]:
    """Build, and return the subjects as the shards show them."""
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, out, **look | options)
    return {example.subject for example in read_examples(out)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "src", people=6)


def test_who_has_the_names_and_what_travels_cannot_compute_them(
    source: Path, tmp_path: Path
) -> None:
    shown = build(source, tmp_path / "out")
    published = (tmp_path / "out" / "metadata.json").read_text("utf-8")
    secret = (tmp_path / "out" / ".fertools" / "secret").read_text("ascii").strip()
    for key in (b"0", b"", secret[:16].encode()):
        assert not shown & {pseudonym(key, person(who), "subject") for who in range(6)}
    assert secret not in published
    assert shown == {pseudonym(bytes.fromhex(secret), person(w), "subject") for w in range(6)}


def test_the_same_archive_and_seed_give_the_same_pseudonyms(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "copy")
    assert build(source, tmp_path / "one") == build(tmp_path / "copy", tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert not build(source, tmp_path / "three", seed=1) & build(source, tmp_path / "one")


def test_a_secret_of_ones_own(source: Path, tmp_path: Path) -> None:
    salt, out = tmp_path / "salt", tmp_path / "out"
    salt.write_bytes(b"forty random bytes, or a good sentence")
    shown = build(source, out, salt_file=str(salt))
    assert not shown & build(source, tmp_path / "without")
    assert build(source, tmp_path / "again", salt_file=str(salt)) == shown
    assert "sentence" not in (out / "metadata.json").read_text("utf-8")
    with pytest.raises(OutputError, match=r"salt_file given \w{8} \(now None\)"):
        build(source, out)
    salt.write_bytes(b"another")
    with pytest.raises(OutputError, match=r"salt_file given \w{8} \(now given \w{8}\)"):
        build(source, out, salt_file=str(salt))
    shutil.rmtree(out / ".fertools")  # the manifest alone tells it as well
    with pytest.raises(OutputError, match=r"salt_file given \w{8} \(now given \w{8}\)"):
        build(source, out, salt_file=str(salt))
    salt.write_bytes(b"")
    with pytest.raises(OptionError, match="is empty"):
        build(source, tmp_path / "empty", salt_file=str(salt))
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        build(source, tmp_path / "none", salt_file=str(tmp_path / "nowhere"))


def test_a_dataset_that_travelled_is_verified_without_the_secret(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(source, out)
    shutil.rmtree(out / ".fertools")
    assert fertools.verify(out, quiet=True).ok
    (out / ".fertools").mkdir()
    (out / ".fertools" / "secret").write_text("nonsense\n")
    text = fertools.verify(out, quiet=True).text()
    assert "record 0 differs from its row in key, subject" in text


def test_what_travels_is_told_from_what_stays(source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    stays = [line for line in text.splitlines() if line.endswith("| no |")]
    assert [line.split("|")[1].strip() for line in stays] == [
        "`ledger.parquet`, `splits.csv`",
        "`.fertools/`",
        "`labels.parquet`, `suspects.csv`",
    ]
    build(source, tmp_path / "plain", keep_names=True)
    plain = (tmp_path / "plain" / "README.md").read_text("utf-8")
    assert "do not give these shards away" in plain
    assert "do not give these shards away" not in text

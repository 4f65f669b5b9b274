"""Every tool reads the same count, labels, votes and pixels from the dataset or its export."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import fertools
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from tests.documented import ROOT, Block, blocks
from tests.readers.readers import MISSING, READERS, Row, row

pytestmark = pytest.mark.slow

#: For libraries that would look for news on the network.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

#: Tools that do not read in the order on disk: one reads several files in turn, one sorts by class.
OWN_ORDER = {"tensorflow-datasets", "torchvision ImageFolder"}


@pytest.fixture(scope="module")
def wanted(home: Path) -> dict[str, list[Row]]:
    """What `read_examples` reads, decoded by OpenCV."""
    return {
        str(split): [
            row(one.key, one.label, one.votes, cv2.imdecode(np.frombuffer(one.image, np.uint8), 0))
            for one in fertools.read_examples(home / "faces", split)
        ]
        for split in Split
    }


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder of the dataset and its exports."""
    mine = OFFLINE | {"HF_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env=os.environ | mine,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("tool", READERS)
def test_every_tool_reads_the_same(
    home: Path, wanted: dict[str, list[Row]], tool: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows"
    code = "import sys; from tests.readers.readers import read; read(*sys.argv[1:])"
    done = run(home, "-c", code, tool, str(home), str(file))
    if done.returncode == MISSING:
        pytest.skip(f"{tool} cannot be imported: {done.stdout.strip()}")
    assert done.returncode == 0, done.stderr
    rows: dict[str, list[Row]] = pickle.loads(file.read_bytes())
    for split, own in wanted.items():
        assert len(rows[split]) == len(own) > 0
        if tool in OWN_ORDER:
            assert sorted(rows[split], key=_key) == sorted(own, key=_key)
        else:
            assert rows[split] == own


def _key(one: Row) -> str:
    return one.key


def test_the_dataset_is_a_hard_one(home: Path, wanted: dict[str, list[Row]]) -> None:
    """Several files a split, classes out of order, votes for several classes in a photo."""
    names = [entry.name for entry in Manifest.read(home / "faces").classes]
    assert names != sorted(names)
    assert any(len([vote for vote in one.votes if vote]) > 1 for one in wanted["train"])
    for pattern in ("faces/*-train.tfrecord-*", "exported/data/train-*", "tars/train-*"):
        assert len([*home.glob(pattern)]) > 1


#: Lines of pages that tests/test_documented.py leaves out, because a tool may be missing.
SHOWN = [
    block
    for page in ("reading.md", "exports.md")
    for block in blocks(ROOT / "docs" / page)
    if block.language == "python"
]


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: f"{block.page}: {block.first}")
def test_the_lines_that_the_pages_show_run(home: Path, block: Block) -> None:
    done = run(home, "-c", block.code)
    if "ModuleNotFoundError" in done.stderr or "nms does not exist" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr

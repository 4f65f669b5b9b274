"""Datasets to export: of the present format with votes, and one of format 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.datasets import write_dataset

FORMAT1 = Path(__file__).parents[1] / "dataset" / "format1"


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty bright squares of 32 pixels, of ten people, with votes and uploader."""
    return write_dataset(tmp_path_factory.mktemp("exported"))


@pytest.fixture(params=["faces", "format1"])
def dataset(request: pytest.FixtureRequest, faces: Path) -> Path:
    return faces if request.param == "faces" else FORMAT1


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

"""A dataset of drawn people with votes, and its exports, under the names of docs/exports.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fertools

#: Several files a split.
SMALL: dict[str, Any] = {"shard_size": "40KB", "quiet": True}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("datasets", reason="`make test-readers` installs the readers")
    home = tmp_path_factory.mktemp("read")
    fertools.make_sample(home / "archive", people=9, photos=63, megapixels=0.3)
    fertools.build_dataset(
        home / "archive",
        home / "faces",
        size=64,
        split="40/30/30",
        rename={"기쁨": "행복"},  # label 0, but not the first by name
        **SMALL,
    )
    fertools.export_dataset(home / "faces", home / "exported", **SMALL)
    fertools.export_dataset(home / "faces", home / "tars", to="webdataset", **SMALL)
    fertools.export_dataset(home / "faces", home / "folders", to="folders", quiet=True)
    return home

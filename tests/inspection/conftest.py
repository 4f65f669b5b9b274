"""An archive and a dataset that the tests of a module share; they are never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

import fertools
from tests.fakes import BrightSpot, photo, photo_name, write_archive


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 photos of 10 people in bursts of two, one without a name, one without a face."""
    source = write_archive(tmp_path_factory.mktemp("inspection") / "src")
    home = source / "1.Training" / "[원천]EMOIMG_기쁨_TRAIN_01"
    (home / "IMG_1.jpg").write_bytes(photo(seed=1))
    (home / "Thumbs.db").write_bytes(b"x")
    (home / photo_name(3, "기쁨", 30)).write_bytes(photo(None, seed=2))
    return source


@pytest.fixture(scope="session")
def dataset(source: Path) -> Path:
    """A dataset of 60 examples with one augmented copy of each in train."""
    out = source.parent / "out"
    fertools.build_dataset(
        source, out, detector=BrightSpot(), size=16, augment=1, quiet=True, jobs=1
    )
    return out

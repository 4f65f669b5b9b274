"""What the tests share: where the real photos are, when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A machine that is busy is no failure: hypothesis' own deadline is 200 ms an example.
settings.register_profile("fertools", deadline=None)
settings.load_profile("fertools")

PHOTOS = Path(__file__).resolve().parents[1].parent / "shared" / "photos"


@pytest.fixture
def photos() -> Path:
    """The small real archive beside the checkout; the test is skipped where there is none."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos are not beside this checkout")
    return PHOTOS

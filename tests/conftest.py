"""What the tests share: where the real photos are, when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

PHOTOS = Path(__file__).resolve().parents[1].parent / "shared" / "photos"


@pytest.fixture
def photos() -> Path:
    """The small real archive beside the checkout; the test is skipped where there is none."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos are not beside this checkout")
    return PHOTOS

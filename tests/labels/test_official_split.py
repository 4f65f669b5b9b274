"""AI-Hub's official split, in every layout of its folders."""

from __future__ import annotations

import pytest

from fertools.labels.filename import official_split


@pytest.mark.parametrize(
    ("key", "half"),
    [
        ("1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/a.jpg", "training"),
        ("2.Validation/[원천]EMOIMG_기쁨_VALID.zip/a.jpg", "validation"),
        ("[원천]EMOIMG_기쁨_VALID/a.jpg", "validation"),
        ("01.데이터/1.Training/원천데이터/당황/a.jpg", "training"),
        ("01.데이터/2.Validation/원천데이터/당황/a.jpg", "validation"),
        ("validation-of-training/a.jpg", "validation"),
        ("EMOIMG_기쁨_SAMPLE/a_TRAIN.jpg", None),
        ("invalid/a.jpg", None),
        ("restraint/a.jpg", None),
        ("a.jpg", None),
    ],
)
def test_the_innermost_folder_that_says_it_counts(key: str, half: str | None) -> None:
    assert official_split(key) == half

from __future__ import annotations

import pytest

from fertools.errors import OptionError
from fertools.options import Ratios


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("80/10/10", (0.8, 0.1, 0.1)),
        ("7/2/1", (0.7, 0.2, 0.1)),
        ("62.5/12.5/25", (0.625, 0.125, 0.25)),
        ("0.8/0.1/0.1", (0.8, 0.1, 0.1)),
        ("9/0/1", (0.9, 0.0, 0.1)),
        ("0/0/5", (0.0, 0.0, 1.0)),
        ("1e308/1e308/0", (0.5, 0.5, 0.0)),
    ],
)
def test_any_three_numbers_are_ratios(text: str, shares: tuple[float, ...]) -> None:
    assert Ratios.parse(text).shares.tolist() == pytest.approx(shares, abs=1e-15)
    assert Ratios.parse(text).shares.sum() == pytest.approx(1, abs=1e-15)


def test_the_unit_does_not_matter() -> None:
    assert Ratios.parse("80/10/10") == Ratios.parse("8/1/1") == Ratios(0.8, 0.1, 0.1)


def test_ratios_print_as_they_are_written() -> None:
    assert str(Ratios.parse("7/2/1")) == "70/20/10"


@pytest.mark.parametrize("text", ["80/20", "80", "", "8/1/1/1", "a/b/c", "80:10:10", "8//2"])
def test_other_text_is_refused_and_shown_with_an_example(text: str) -> None:
    with pytest.raises(OptionError, match="80/10/10") as caught:
        Ratios.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["0/0/0", "90/-10/20", "nan/1/1", "inf/1/1"])
def test_numbers_that_are_no_shares_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="share"):
        Ratios.parse(text)

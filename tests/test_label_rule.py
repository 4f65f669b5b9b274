"""What --labels may be, and each value as a sentence."""

from __future__ import annotations

import pytest

from fertools.errors import OptionError
from fertools.label_rule import LabelRule
from fertools.options import BuildOptions, LabelOptions


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name", LabelRule("name")),
        ("majority", LabelRule("majority", votes=2)),
        ("at-least:1", LabelRule("at-least:1", votes=1)),
        ("posterior:0.80", LabelRule("posterior:0.8", probability=0.8)),
        ("posterior:.8", LabelRule("posterior:0.8", probability=0.8)),
        ("fixes.csv", LabelRule("name", corrections="fixes.csv")),
        ("name+fixes.CSV", LabelRule("name", corrections="fixes.CSV")),
        ("unanimous+a/b+c.csv", LabelRule("unanimous", votes=3, corrections="a/b+c.csv")),
        ("a+b.csv", LabelRule("name", corrections="a+b.csv")),
        ("posterior:0.5+x.csv", LabelRule("posterior:0.5", probability=0.5, corrections="x.csv")),
    ],
)
def test_a_rule_and_a_file(text: str, rule: LabelRule) -> None:
    assert LabelRule.parse(text) == rule
    assert LabelRule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        *["", "two", "at-least:11", "posterior", "posterior:1", "posterior:0", "posterior:0.0"],
        *["posterior:-0.5", "posterior:nan", "majority+", "majority+fixes.txt", "+", "fixes.tsv"],
    ],
)
def test_anything_else_is_one_line_that_names_the_choices(text: str) -> None:
    with pytest.raises(OptionError) as error:
        LabelOptions(labels=text)
    line = str(error.value)
    assert line.startswith(f"--labels {text}: choose name, majority, ")
    assert line.endswith("such as majority+FILE.csv")
    assert "\n" not in line


def test_equal_rules_are_equal_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that is repeated with another spelling is the same build."""
    monkeypatch.setenv("HOME", "/home/kim")
    assert LabelOptions(labels="posterior:0.80") == LabelOptions(labels="posterior:.8")
    assert LabelOptions(labels="name+~/x.csv").labels == "/home/kim/x.csv"
    assert LabelOptions(labels="majority+~/x.csv").labels == "majority+/home/kim/x.csv"


@pytest.mark.parametrize(
    ("text", "disputed", "words"),
    [
        ("name", "drop", "the class in the photo's name or folder"),
        (
            "majority",
            "drop",
            "the class that at least two of three annotators chose; others are dropped",
        ),
        (
            "at-least:3",
            "keep",
            "the class that all three annotators chose; others keep their name's",
        ),
        (
            "at-least:1",
            "drop",
            "the class that most of the three annotators chose, if only one; of a tie the name's, "
            "if it is among them; others are dropped",
        ),
        (
            "posterior:0.8",
            "keep",
            "the class with a posterior of at least 0.8, estimated from the words of annotators "
            "and uploader over all photos (Dawid and Skene 1979); others keep their name's",
        ),
    ],
)
def test_a_rule_in_words(text: str, disputed: str, words: str) -> None:
    assert LabelRule.parse(text).words(disputed) == words


def test_of_ten_annotators_more_must_agree() -> None:
    rules = [LabelRule.parse(text) for text in ("majority", "unanimous", "at-least:8")]
    assert [rule.votes_of(10) for rule in rules] == [6, 10, 8]
    assert [rule.votes_of(3) for rule in rules] == [2, 3, 8]
    tie = "of a tie the name's, if among them; others are dropped"
    assert [rule.words("drop", three=False) for rule in rules] == [
        f"the class that more than half of the annotators chose; {tie}",
        f"the class that all annotators chose; {tie}",
        f"the class that at least 8 annotators, and most of them, chose; {tie}",
    ]
    with pytest.raises(OptionError, match="a photo has three annotators"):
        BuildOptions.of({"labels": "at-least:8"})
    assert BuildOptions.of({"labels": "at-least:8", "preset": "ferplus"}).labels.rule.votes == 8

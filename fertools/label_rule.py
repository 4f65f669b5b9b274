"""Parse the value of --labels: who decides what a photo shows, and whose corrections overrule.

name                   the file name
majority               at least two of the three annotators; unanimous: all three
at-least:N             at least N of them
posterior:0.8          the class that has a probability of 0.8 or more, given all votes
fixes.csv              the file name, and a person's corrections
majority+fixes.csv     another rule, and a person's corrections
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from fertools.checking import user_path
from fertools.errors import OptionError

#: The annotators, of three, who must agree.
_VOTES: Final = {"majority": 2, "unanimous": 3, "at-least:1": 1, "at-least:2": 2, "at-least:3": 3}

_CHOICES: Final = (
    "choose name, majority, unanimous, at-least:1, at-least:2 or at-least:3, posterior:P with a "
    "probability P such as 0.8, FILE.csv, or one of these rules with a file, such as "
    "majority+FILE.csv"
)


@dataclass(frozen=True, slots=True)
class LabelRule:
    """Who decides a photo's emotion.

    name         the rule without a file
    votes        annotators, of three, who must agree; 0 if their number does not decide
    probability  that a class must have at least; 0 if none decides
    corrections  the path of the file that overrules, or None
    """

    name: str
    votes: int = 0
    probability: float = 0.0
    corrections: str | None = None

    @classmethod
    def parse(cls, text: str) -> LabelRule:
        """Read a value of --labels; raise OptionError for anything else.

        >>> LabelRule.parse("majority+fixes.csv")
        LabelRule(name='majority', votes=2, probability=0.0, corrections='fixes.csv')
        """
        if whole := cls._without_file(text):
            return whole
        name, _, file = text.partition("+")
        rule = cls._without_file(name)
        if rule is None:
            rule, file = cls("name"), text
        if not file.lower().endswith(".csv"):
            raise OptionError(f"--labels {text}: {_CHOICES}")
        return replace(rule, corrections=str(user_path(file)))

    @classmethod
    def _without_file(cls, name: str) -> LabelRule | None:
        if name == "name" or name in _VOTES:
            return cls(name, votes=_VOTES.get(name, 0))
        number = re.fullmatch(r"posterior:(0?\.\d{1,9})", name, re.ASCII)
        if number and (probability := float(number[1])):
            return cls(f"posterior:{probability:g}", probability=probability)
        return None

    @property
    def by_name(self) -> bool:
        """Whether the file name decides, corrections apart."""
        return not (self.votes or self.probability)

    def words(self, disputed: str) -> str:
        """Return the rule as a sentence that two papers can compare.

        disputed   what becomes of photos on which annotators do not agree: "drop" or "keep"
        """
        others = "others are dropped" if disputed == "drop" else "others keep their name's"
        if self.by_name:
            return "the class in the photo's name or folder"
        if self.probability:
            return (
                f"the class with a posterior of at least {self.probability:g}, estimated from the "
                "words of annotators and uploader over all photos (Dawid and Skene 1979); "
                f"{others}"
            )
        if self.votes == 1:
            return (
                "the class that most of the three annotators chose, if only one; of a tie the "
                f"name's, if it is among them; {others}"
            )
        least = "all three annotators" if self.votes == 3 else "at least two of three annotators"
        return f"the class that {least} chose; {others}"

    def __str__(self) -> str:
        if self.corrections is None:
            return self.name
        return self.corrections if self.name == "name" else f"{self.name}+{self.corrections}"

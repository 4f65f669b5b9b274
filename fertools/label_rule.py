"""Parse the value of --labels: the source of a photo's label, and corrections of it.

name                   the file name
majority               more than half of the annotators, two of three; unanimous: all
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
_VOTES: Final = {"majority": 2, "unanimous": 3}

#: Of FER+'s ten annotators more than three may be asked for.
_AT_LEAST: Final = re.compile(r"at-least:([1-9]|10)", re.ASCII)

_CHOICES: Final = (
    "choose name, majority, unanimous, at-least:1, at-least:2 or at-least:3, posterior:P with a "
    "probability P such as 0.8, FILE.csv, or one of these rules with a file, such as "
    "majority+FILE.csv"
)


@dataclass(frozen=True, slots=True)
class LabelRule:
    """A value of --labels, parsed: what decides the label of a photo.

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
        if at_least := _AT_LEAST.fullmatch(name):
            return cls(name, votes=int(at_least[1]))
        number = re.fullmatch(r"posterior:(0?\.\d{1,9})", name, re.ASCII)
        if number and (probability := float(number[1])):
            return cls(f"posterior:{probability:g}", probability=probability)
        return None

    def votes_of(self, annotators: int) -> int:
        """Return how many of a photo's annotators must agree: of three 2 or 3, of ten 6 or 10."""
        needed = {"majority": annotators // 2 + 1, "unanimous": annotators}
        return needed.get(self.name, self.votes)

    @property
    def by_name(self) -> bool:
        """Whether the file name decides, corrections apart."""
        return not (self.votes or self.probability)

    def words(self, disputed: str, *, three: bool = True) -> str:
        """Return the rule as a sentence that two papers can compare.

        disputed   what becomes of photos on which annotators do not agree: "drop" or "keep"
        three      whether a photo has three annotators, as in AI-Hub's archive
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
        if not three:
            many = {"majority": "more than half of the annotators", "unanimous": "all annotators"}
            least = many.get(self.name, f"at least {self.votes} annotators, and most of them,")
            return f"the class that {least} chose; of a tie the name's, if among them; {others}"
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

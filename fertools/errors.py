"""What can go wrong for a whole run; a photo that cannot be used is a ledger row instead.

FertoolsError           one line that says what is wrong and what to do; exit code 1
├── SourceError         SRC: missing, without photos
├── OutputError         OUT: inside SRC, not empty and not ours, busy, cannot be written
├── OptionError         options: unknown, contradicting, out of range, an unknown class
├── SplitError          a split that cannot be filled
├── DatasetError        a dataset that is incomplete or damaged
└── DependencyError     something that must be installed is not
"""

from __future__ import annotations


class FertoolsError(Exception):
    """Something the user can put right; its text is one line that says how."""


class SourceError(FertoolsError):
    """The archive cannot be built from."""


class OutputError(FertoolsError):
    """The dataset cannot be written where it was asked for."""


class OptionError(FertoolsError, ValueError):
    """An option has a value that cannot be meant."""


class SplitError(FertoolsError):
    """The photos cannot be divided as asked."""


class DatasetError(FertoolsError):
    """A dataset on disk is incomplete, damaged or not one of ours."""


class DependencyError(FertoolsError):
    """A package or a file of one is missing."""


def printable(name: str) -> str:
    r"""Give a name that can be printed: what would move the cursor or turn the text is escaped.

    >>> print(printable("a\x1b[2Jb\u202egpj"))
    a\x1b[2Jb\u202egpj

    Controls, line ends, direction marks, spaces other than " ", and half surrogates go; a leading
    =, +, - or @ stays, since only a spreadsheet minds it.
    """
    if name.isprintable():
        return name
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in name
    )

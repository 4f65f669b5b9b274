"""Errors that end a run; a photo that cannot be used is a row of the ledger instead.

FertoolsError           one line that says what is wrong and what to do; exit code 1
├── SourceError         SRC: missing, without photos
├── OutputError         OUT: inside SRC, not empty and not a dataset, busy, cannot be written
├── OptionError         options: unknown, contradicting, out of range, an unknown class
├── SplitError          a split that cannot be filled
├── DatasetError        a dataset that is incomplete or damaged
└── DependencyError     a package or a file of one is not installed
"""

from __future__ import annotations


class FertoolsError(Exception):
    """An error that the user can solve; its text is one line that says how."""


class SourceError(FertoolsError):
    """The archive cannot be built from."""


class OutputError(FertoolsError):
    """The output folder cannot be written or used."""


class OptionError(FertoolsError, ValueError):
    """An option has an impossible value or contradicts another one."""


class SplitError(FertoolsError):
    """The photos cannot be split as requested."""


class DatasetError(FertoolsError):
    """A dataset on disk is incomplete, damaged or not of this format."""


class DependencyError(FertoolsError):
    """A package or a file of one is missing."""


def printable(name: str) -> str:
    r"""Return a name with escapes for characters that move the cursor or change text direction.

    >>> print(printable("a\x1b[2Jb\u202egpj"))
    a\x1b[2Jb\u202egpj

    Escapes controls, line ends, direction marks, spaces other than " ", and half surrogates. Keeps
    a leading =, +, - or @, which matters to spreadsheets only.
    """
    if name.isprintable():
        return name
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in name
    )

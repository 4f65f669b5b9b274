"""Define the errors that end a run. A photo that cannot be used is a row of the ledger instead.

FertoolsError           one line that says what is wrong and what to do; exit code 1
├── SourceError         SRC is missing or contains no photos
├── OutputError         OUT is inside SRC, in use, not writable, or has other contents
├── OptionError         options are unknown, contradictory or out of range
├── SplitError          a split cannot be filled
├── DatasetError        a dataset is incomplete or damaged
└── DependencyError     a package or a file of a package is not installed
"""

from __future__ import annotations


class FertoolsError(Exception):
    """The base of all errors that the user can solve; the text is one line with the advice."""


class SourceError(FertoolsError):
    """Raised when no dataset can be built from the archive."""


class OutputError(FertoolsError):
    """Raised when the output folder cannot be written or used."""


class OptionError(FertoolsError, ValueError):
    """Raised when an option has an invalid value or contradicts another option."""


class SplitError(FertoolsError):
    """Raised when the photos cannot be split as requested."""


class DatasetError(FertoolsError):
    """Raised when a dataset on disk is incomplete, damaged or in another format."""


class DependencyError(FertoolsError):
    """Raised when a package or a file of a package is missing."""


def printable(name: str) -> str:
    r"""Return a name with escapes for characters that move the cursor or change text direction.

    >>> print(printable("a\x1b[2Jb\u202egpj"))
    a\x1b[2Jb\u202egpj

    Escapes control characters, line ends, direction marks, spaces other than " ", and unpaired
    surrogates. Keeps a leading =, +, - or @, which is special in spreadsheets only.
    """
    if name.isprintable():
        return name
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in name
    )

"""Who is in which split: groups of photos that must not be parted, and where each group goes.

    rows ──cap──▶ rows ──assign or official──▶ 0 train, 1 validation, 2 test ──▶ leak, deviation

Pure functions of tables; no file is read or written here.
"""

from fertools.splits.caps import cap
from fertools.splits.copies import (
    Chain,
    Copies,
    conflicts,
    find_copies,
    longest_chain,
    same_bytes,
    same_picture,
)
from fertools.splits.groups import Ties, by_subject, grouped, tied
from fertools.splits.measure import TEST, Leak, deviation, leak, overlap
from fertools.splits.official import Half, Official, official
from fertools.splits.ratios import Ratios
from fertools.splits.stratify import assign, assign_photos

__all__ = [
    "TEST",
    "Chain",
    "Copies",
    "Half",
    "Leak",
    "Official",
    "Ratios",
    "Ties",
    "assign",
    "assign_photos",
    "by_subject",
    "cap",
    "conflicts",
    "deviation",
    "find_copies",
    "grouped",
    "leak",
    "longest_chain",
    "official",
    "overlap",
    "same_bytes",
    "same_picture",
    "tied",
]

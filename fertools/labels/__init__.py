"""What a photo is called: its name's grammar, the annotators' votes, the classes of both.

name ──Labeller──▶ Label ───┐
                            ├─decide──▶ emotion ──ClassMap──▶ class
label files ──Annotations───┘ record
"""

from fertools.labels.annotations import Annotations, Joined
from fertools.labels.classes import CLASS_SETS, LABEL_SOURCES, ClassMap, LabelRule
from fertools.labels.halves import official_half
from fertools.labels.labeller import Labeller
from fertools.labels.name import parse_name
from fertools.labels.records import LabelRecord, median_box, read_records
from fertools.labels.votes import Agreement, agreement, decide, vote_counts
from fertools.labels.words import EMOTIONS, ENGLISH, PLACES

__all__ = [
    "CLASS_SETS",
    "EMOTIONS",
    "ENGLISH",
    "LABEL_SOURCES",
    "PLACES",
    "Agreement",
    "Annotations",
    "ClassMap",
    "Joined",
    "LabelRecord",
    "LabelRule",
    "Labeller",
    "agreement",
    "decide",
    "median_box",
    "official_half",
    "parse_name",
    "read_records",
    "vote_counts",
]

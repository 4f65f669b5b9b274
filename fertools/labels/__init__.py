"""What a photo is called: its name's grammar, and the classes that emotions become."""

from fertools.labels.classes import CLASS_SETS, ClassMap, LabelRule
from fertools.labels.name import parse_folder, parse_name
from fertools.labels.words import EMOTIONS, ENGLISH, PLACES

__all__ = [
    "CLASS_SETS",
    "EMOTIONS",
    "ENGLISH",
    "PLACES",
    "ClassMap",
    "LabelRule",
    "parse_folder",
    "parse_name",
]

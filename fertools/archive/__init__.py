"""Where photos are: folders, zips and zips in pieces, read in place as members.

scan(source)  ──▶ Scan: every entry once, photos and all else, in one order
Reader(source) ─▶ .read(member): its bytes; `Unusable` for damage, `ReadFault` for what may pass
landmarks(…)      by which another machine tells whether it sees the same archive
Patience          how long and how often a fault of reading is waited for
"""

from fertools.archive.files import Patience
from fertools.archive.landmarks import Landmarks, difference, landmarks
from fertools.archive.names import PHOTO_ENDINGS
from fertools.archive.reader import Reader
from fertools.archive.scan import Scan, scan

__all__ = [
    "PHOTO_ENDINGS",
    "Landmarks",
    "Patience",
    "Reader",
    "Scan",
    "difference",
    "landmarks",
    "scan",
]

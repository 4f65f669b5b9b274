"""Where photos are: folders, zips and zips in pieces, read in place as members.

scan(source)  ──▶ Scan: every entry once, photos and all else, in one order
Reader(source) ─▶ .read(member): its bytes, or `Unusable` with the reason
"""

from fertools.archive.names import PHOTO_ENDINGS, printable
from fertools.archive.reader import Reader
from fertools.archive.scan import Scan, scan

__all__ = ["PHOTO_ENDINGS", "Reader", "Scan", "printable", "scan"]

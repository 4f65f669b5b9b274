"""BMP files: their size (Microsoft's BITMAPINFOHEADER and the OS/2 header before it).

BM size reserved offset │ header size  width  height  planes  bits  compression …
0                       │ 14           18     22      26      28    30
"""

from __future__ import annotations

from fertools.faces.header import Header, damaged, unsupported

_PLAIN = (0, 3, 6)  # no compression; which bits are which colour, without and with alpha


def read_bmp(data: bytes) -> Header:
    """The header of an uncompressed BMP.

    Raises Unusable: UNSUPPORTED for a compressed one (of a run-length coded file that is cut,
    OpenCV fills the rest without a word), DAMAGED where the header is cut.
    """
    if len(data) < 34:
        raise damaged("a BMP that is cut inside its header")

    def number(offset: int, width: int = 4) -> int:
        return int.from_bytes(data[offset : offset + width], "little", signed=width == 4)

    if number(14) == 12:
        return Header("BMP", number(18, 2), number(20, 2))
    if number(30) not in _PLAIN:
        raise unsupported("compressed BMP")
    return Header("BMP", number(18), abs(number(22)))  # a negative height: first row on top

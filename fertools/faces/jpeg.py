"""JPEG files: what their markers say, and two slips of their writers that cost no pixel.

    FFD8 │ FFE1 len Exif … │ FFC0 len size … │ FFDA len … │ entropy-coded data │ FFD9 │ anything
    SOI    APP1              SOF               SOS                               EOI

Inside entropy-coded data FF is followed by 00 or a restart number, so a marker is found by
searching for the next FF that is followed by anything else (ISO/IEC 10918-1, B.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fertools.data import Reason, Unusable
from fertools.faces.header import UPRIGHT, Header, damaged, read_orientation, unsupported

SOI, EOI, SOS, APP1 = 0xD8, 0xD9, 0xDA, 0xE1
FRAMES = {0xC0: "baseline", 0xC1: "extended sequential", 0xC2: "progressive"}
FOREIGN_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}  # tables share the range

# A progressive photo has about 10 scans. Each one is a pass over all of its pixels, so a file of
# a few kilobytes with 1,000 of them keeps a decoder busy for minutes.
MAX_SCANS = 100

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_WHOLE_SPECTRUM = b"\0\x3f\0"  # what a sequential scan has to say: coefficients 0 to 63


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and where its payload lies: data[start:end]."""

    marker: int
    start: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """The markers of a JPEG in their order, up to the end marker or the end of the bytes."""
    position = 0
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        if marker in (SOI, EOI):
            yield Segment(marker, position, position)
            if marker == EOI:
                return
            continue
        end = position + max(2, int.from_bytes(data[position : position + 2]))
        yield Segment(marker, position + 2, end)
        position = end


def read_jpeg(data: bytes) -> Header:
    """The header of a JPEG: 8 bits a channel, Huffman coded, gray, colour or CMYK.

    Raises Unusable: UNSUPPORTED for other kinds, TOO_LARGE for too many scans, DAMAGED where
    the bytes end inside the header.
    """
    orientation, size, frame = UPRIGHT, None, None
    for segment in segments(data):
        body = data[segment.start : segment.end]
        if segment.marker == APP1 and body.startswith(b"Exif\0\0"):
            orientation = read_orientation(body[6:])
        elif segment.marker in FRAMES or segment.marker in FOREIGN_FRAMES:
            size, frame = _read_frame(segment.marker, body), segment
        elif segment.marker == SOS and size is not None and frame is not None:
            if not _in_one_scan(data, frame, segment):
                _check_scans(data)
            return Header("JPEG", *size, orientation)
    raise damaged("a JPEG that is cut inside its header")


def _read_frame(marker: int, body: bytes) -> tuple[int, int]:
    if marker in FOREIGN_FRAMES:
        raise unsupported("JPEG that is lossless, hierarchical or arithmetically coded")
    if len(body) < 6:
        raise damaged("a JPEG that is cut inside its header")
    if body[0] != 8:
        raise unsupported(f"JPEG with {body[0]} bits a channel; only 8 are read")
    if body[5] not in (1, 3, 4):
        raise unsupported(f"JPEG with {body[5]} channels")
    return int.from_bytes(body[3:5]), int.from_bytes(body[1:3])


def _in_one_scan(data: bytes, frame: Segment, scan: Segment) -> bool:
    """Whether a photo's first scan is all of it: then the decoder refuses any that follows.

    To know that of a camera's photo costs nothing; to count its scans, 0.6 ms.
    """
    channels, in_scan = data[frame.start + 5], data[scan.start : scan.start + 1]
    return FRAMES[frame.marker] != "progressive" and in_scan == bytes([channels])


def _check_scans(data: bytes) -> None:
    # Counting bytes is quick and never too low; only what looks bad is worth walking through.
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return
    scans = sum(segment.marker == SOS for segment in segments(data))
    if scans > MAX_SCANS:
        raise Unusable(Reason.TOO_LARGE, f"JPEG with {scans:,} scans; the limit is {MAX_SCANS}")


def repair(data: bytes) -> bytes | None:
    """A refused JPEG without its writer's slips; None where they do not explain the refusal.

    `data` is a JPEG whose header could be read. Either its end marker is missing: harmless if
    everything before it is there, which a strict decoder finds out once the marker has been put
    back. Or its scan states a spectral range other than 0 to 63, which means something in
    progressive files only; decoders ignore it, but a strict one refuses.

    Only a photo whose first scan holds all channels is mended: of several scans the last may be
    missing, and then a strict decoder is content with a coarse or colourless photo.
    """
    found = list(segments(data))
    frame = next(segment for segment in found if segment.marker in FRAMES)
    scan = next(segment for segment in found if segment.marker == SOS)
    if not _in_one_scan(data, frame, scan):
        return None
    end = b"" if found[-1].marker == EOI else bytes([0xFF, EOI])
    whole = data[: scan.end - 3] + _WHOLE_SPECTRUM + data[scan.end :] + end
    return whole if whole != data else None

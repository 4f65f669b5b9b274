"""Read the markers of a JPEG, repair two harmless errors of JPEG writers, and shorten a JPEG.

    FFD8 │ FFE1 len Exif … │ FFC0 len size … │ FFDA len … │ entropy-coded data │ FFD9 │ anything
    SOI    APP1              SOF               SOS                               EOI

Inside entropy-coded data, FF is followed by 00 or a restart number. So the next marker is the next
FF that is followed by another byte (ISO/IEC 10918-1, B.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import takewhile

from fertools.data import Reason, Unusable
from fertools.faces.header import (
    UPRIGHT,
    Header,
    damaged_error,
    read_orientation,
    unsupported_error,
)

SOI, EOI, SOS, DRI, APP1 = 0xD8, 0xD9, 0xDA, 0xDD, 0xE1
FRAMES = {0xC0: "baseline", 0xC1: "extended sequential", 0xC2: "progressive"}
OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}  # these three are tables

# A progressive photo has about 10 scans. Each scan is a pass over all pixels, so decoding a file of
# a few kilobytes with 1,000 scans takes minutes.
MAX_SCANS = 100

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_WHOLE_SPECTRUM = b"\0\x3f\0"  # required in a sequential scan: coefficients 0 to 63
_END = bytes([0xFF, EOI])
_SURPLUS = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")


def read_jpeg(data: bytes) -> Header:
    """Read the header of a JPEG: 8 bits a channel, Huffman coded, gray, colour or CMYK.

    Raises Unusable: UNSUPPORTED for other kinds of JPEG, TOO_LARGE for more than MAX_SCANS scans,
    DAMAGED if the bytes end inside the header.
    """
    orientation, size, frame = UPRIGHT, None, None
    for segment in read_segments(data):
        body = data[segment.start : segment.end]
        if segment.marker == APP1 and body.startswith(b"Exif\0\0"):
            orientation = read_orientation(body[6:])
        elif segment.marker in FRAMES or segment.marker in OTHER_FRAMES:
            size, frame = _read_frame(segment.marker, body), segment
        elif segment.marker == SOS and size is not None and frame is not None:
            if not _is_only_scan(data, frame, segment):
                _check_scans(data)
            return Header("JPEG", *size, orientation)
    raise damaged_error("a JPEG that is cut inside its header")


def repair_jpeg(data: bytes) -> bytes | None:
    """Repair two errors that a strict decoder refuses; return None if the JPEG has neither.

    data   a JPEG whose header could be read

    A missing end marker is added; the strict decoder then checks that all data before it is there.
    A spectral range other than 0 to 63 has a meaning in progressive files only; it is corrected.
    Only a photo whose first scan has all channels is repaired: of several scans the last may be
    missing, and a strict decoder would accept a coarse or colourless photo.
    """
    *_, last = read_segments(data)
    frame, scan = _first_segment(data, FRAMES), _first_segment(data, (SOS,))
    if not _is_only_scan(data, frame, scan):
        return None
    end = b"" if last.marker == EOI else _END
    repaired = data[: scan.end - 3] + _WHOLE_SPECTRUM + data[scan.end :] + end
    return repaired if repaired != data else None


def shorten_jpeg(data: bytes, rows: int) -> bytearray | None:
    """Return a JPEG that states a height of `rows`, so that a decoder stops after these rows.

    data   a JPEG whose header could be read, of more rows

    Their pixels are equal to those of the whole JPEG, but for the last row: where colours have
    fewer rows, a decoder interpolates them with the next row's. The data of the other rows remain;
    `is_surplus` recognises the decoder's warning of them. Returns None for a JPEG of several scans,
    each of which passes over all rows, for one with restart markers, for CMYK, and where the end
    marker is missing.
    """
    frame, scan = _first_segment(data, FRAMES), _first_segment(data, (SOS,))
    in_order = _is_only_scan(data, frame, scan) and not _has_restarts(data)
    in_colour = data[frame.start + 5] <= 3
    if not (in_order and in_colour) or data.rfind(_END, scan.end) < 0:
        return None
    shortened, height = bytearray(data), frame.start + 1  # slices of bytes would be copied twice
    shortened[height : height + 2] = rows.to_bytes(2)
    return shortened


def is_surplus(warning: str) -> bool:
    """Return whether libjpeg's first warning of a picture is that of bytes behind the last row.

    These end at the end marker. libjpeg states its first warning only, and the bytes behind the
    last row come last: so there was no warning about a row. With restart markers there is no such
    conclusion: bytes are left before one of them where a row above it is damaged, too.
    """
    return _SURPLUS.fullmatch(warning) is not None


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and the range of its payload: data[start:end]."""

    marker: int
    start: int
    end: int


def read_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG in order, up to the end marker or the end of the bytes."""
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


def _first_segment(data: bytes, markers: Collection[int]) -> Segment:
    return next(segment for segment in read_segments(data) if segment.marker in markers)


def _read_frame(marker: int, body: bytes) -> tuple[int, int]:
    if marker in OTHER_FRAMES:
        raise unsupported_error("JPEG that is lossless, hierarchical or arithmetically coded")
    if len(body) < 6:
        raise damaged_error("a JPEG that is cut inside its header")
    if body[0] != 8:
        raise unsupported_error(f"JPEG with {body[0]} bits a channel; only 8 are read")
    if body[5] not in (1, 3, 4):
        raise unsupported_error(f"JPEG with {body[5]} channels")
    return int.from_bytes(body[3:5]), int.from_bytes(body[1:3])


def _is_only_scan(data: bytes, frame: Segment, scan: Segment) -> bool:
    """Return whether the first scan has all channels; the decoder then refuses further scans.

    Unlike counting the scans, which takes 0.6 ms for a camera's photo, this check costs nothing.
    """
    channels, in_scan = data[frame.start + 5], data[scan.start : scan.start + 1]
    return FRAMES[frame.marker] != "progressive" and in_scan == bytes([channels])


def _has_restarts(data: bytes) -> bool:
    """Return whether the entropy-coded data are divided by restart markers."""
    before = takewhile(lambda segment: segment.marker != SOS, read_segments(data))
    return any(each.marker == DRI and any(data[each.start : each.end]) for each in before)


def _check_scans(data: bytes) -> None:
    # Counting byte pairs is fast and never too low. Only if it exceeds the limit, count segments.
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return
    scans = sum(segment.marker == SOS for segment in read_segments(data))
    if scans > MAX_SCANS:
        raise Unusable(Reason.TOO_LARGE, f"JPEG with {scans:,} scans; the limit is {MAX_SCANS}")

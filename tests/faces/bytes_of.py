"""Photos as bytes, drawn and packed by hand, whole and broken."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Image = NDArray[np.uint8]

HEIGHT, WIDTH = 60, 84
SEQUENTIAL = [cv2.IMWRITE_JPEG_QUALITY, 90]
PROGRESSIVE = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]


def picture(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Image:
    """Soft colour blobs: uint8 (H, W, 3) BGR, without any symmetry."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    blobs = cv2.GaussianBlur(noise, (0, 0), 4).astype(float)
    low, high = blobs.min(), blobs.max()
    return np.asarray((blobs - low) * 255 / (high - low), np.uint8)


def encoded(ending: str, image: Image, options: tuple[int, ...] | list[int] = ()) -> bytes:
    return cv2.imencode(ending, image, list(options))[1].tobytes()


def jpeg(image: Image, exif: bytes | None = None) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(image, colorspace="BGR", quality=95)
    if exif is None:
        return data
    body = b"Exif\0\0" + exif
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def exif(orientation: int, order: str = ">", kind: int = 3) -> bytes:
    """A directory of one entry: Orientation as SHORT (kind 3) or LONG (kind 4)."""
    value = struct.pack(f"{order}I" if kind == 4 else f"{order}Hxx", orientation)
    entry = struct.pack(f"{order}HHI", 0x112, kind, 1) + value
    magic = b"MM\0*" if order == ">" else b"II*\0"
    return magic + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(
    rows: NDArray[np.generic], size: tuple[int, int], bits: int, colour: int, extra: bytes = b""
) -> bytes:
    """A PNG from rows as they are stored; `extra` are chunks to stand before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0))
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    body = header + extra + chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body

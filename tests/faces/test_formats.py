from __future__ import annotations

import dataclasses
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import simplejpeg

from fertools.data import Reason, Unusable
from fertools.faces.decode import Scale, decode, read_header
from fertools.faces.jpeg import SOS, read_segments
from tests.faces.bytes_of import (
    HEIGHT,
    PROGRESSIVE,
    SEQUENTIAL,
    WIDTH,
    Image,
    chunk,
    encoded,
    jpeg,
    picture,
    png,
    riff,
)

PICTURE = picture()
GRAY = PICTURE[..., 0].copy()
SIZE = (WIDTH, HEIGHT)
RGB_PNG = png(np.ascontiguousarray(PICTURE[..., ::-1]), SIZE, 8, 2)


def read(data: bytes, max_pixels: int = 200_000_000) -> Image:
    return decode(data, read_header(data, max_pixels))


def refusal(data: bytes, max_pixels: int = 200_000_000) -> tuple[Reason, str]:
    with pytest.raises(Unusable) as caught:
        read(data, max_pixels)
    return caught.value.drop.reason, caught.value.drop.detail


def by_opencv(data: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def far(image: Image, other: Image) -> float:
    return float(np.abs(image.astype(int) - other).mean())


# --- used ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
def test_jpeg_pixels_are_those_of_opencv(sampling: str) -> None:
    data = simplejpeg.encode_jpeg(PICTURE, 85, "BGR", sampling)
    assert np.array_equal(read(data), by_opencv(data))


def test_jpeg_comes_at_a_reduced_scale() -> None:
    data = jpeg(PICTURE)
    scales: tuple[Scale, ...] = (1, 2, 4, 8)
    shapes = [decode(data, read_header(data, 10_000), scale).shape[:2] for scale in scales]
    assert shapes == [(60, 84), (30, 42), (15, 21), (8, 11)]
    assert decode(RGB_PNG, read_header(RGB_PNG, 10_000), 8).shape == PICTURE.shape


def test_progressive_and_gray_jpegs() -> None:
    assert far(read(encoded(".jpg", PICTURE, PROGRESSIVE)), PICTURE) < 4
    gray = read(encoded(".jpg", GRAY))
    assert far(gray, GRAY[..., np.newaxis]) < 2
    assert (gray[..., 0] == gray[..., 2]).all()


def test_cmyk_and_ycck_jpegs_have_the_right_colours() -> None:
    # stored inverted, as Adobe does: no ink is 255, and with no black the other three are RGB
    inks = np.dstack([PICTURE[..., ::-1], np.full_like(GRAY, 255)])
    ycck: bytes = simplejpeg.encode_jpeg(inks, 95, "CMYK", "444")
    assert b"Adobe\0\x64\0\0\0\0\2" in ycck
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.frombytes("CMYK", SIZE, (255 - inks).tobytes()).save(file, "JPEG", quality=95)
    for data in (ycck, file.getvalue()):
        assert np.array_equal(read(data), by_opencv(data))
        assert far(read(data), PICTURE) < 4


def test_the_first_picture_of_several_is_read() -> None:
    second = jpeg(picture(seed=1))
    assert np.array_equal(read(jpeg(PICTURE) + second), read(jpeg(PICTURE)))


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp"])
def test_junk_behind_the_end_is_ignored(ending: str) -> None:
    data = encoded(ending, PICTURE)
    junk = np.random.default_rng(1).integers(0, 256, 500_000, np.uint8).tobytes()
    assert np.array_equal(read(data + junk), read(data))


@pytest.mark.parametrize("ending", [".jpg", ".webp"])
def test_lossy_pictures_look_the_same(ending: str) -> None:
    assert far(read(encoded(ending, PICTURE)), PICTURE) < 8


@pytest.mark.parametrize(
    "data",
    [
        RGB_PNG,
        png(np.dstack([PICTURE[..., ::-1], np.zeros_like(GRAY)]), SIZE, 8, 6),  # all transparent
        png(PICTURE[..., ::-1].astype(">u2") * 257, SIZE, 16, 2),
        encoded(".webp", PICTURE, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        encoded(".bmp", PICTURE),
        encoded(".bmp", np.dstack([PICTURE, GRAY])),
        png(
            np.ascontiguousarray(PICTURE[..., ::-1]),
            SIZE,
            8,
            2,
            chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(50_000_000))),
        ),
    ],
    ids=["png", "transparent", "16 bits", "webp", "bmp", "bmp with alpha", "text bomb"],
)
def test_lossless_pictures_are_exact(data: bytes) -> None:
    assert np.array_equal(read(data), PICTURE)


def test_a_bmp_from_top_to_bottom() -> None:
    data = bytearray(encoded(".bmp", PICTURE))
    data[22:26] = struct.pack("<i", -HEIGHT)
    assert np.array_equal(read(bytes(data)), PICTURE[::-1])


def test_gray_palette_one_bit_and_interlaced_pngs() -> None:
    gray_alpha = png(np.dstack([GRAY, GRAY]), SIZE, 8, 4)
    bits = np.packbits(GRAY > 127, axis=1)
    one_bit = png(bits, SIZE, 1, 0)
    colours = chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 0]))
    palette = png(bits, SIZE, 1, 3, colours)
    assert np.array_equal(read(gray_alpha)[..., 1], GRAY)
    assert np.array_equal(read(one_bit)[..., 1], (GRAY > 127) * 255)
    assert read(palette)[GRAY > 127][0].tolist() == [0, 100, 200]
    assert read(palette)[GRAY <= 127][0].tolist() == [30, 20, 10]
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    interlaced = RGB_PNG[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x63"))
    assert read(interlaced + chunk(b"IEND", b"")).tolist() == [[[99, 99, 99]]]


# --- refused ------------------------------------------------------------------------------


def test_every_cut_is_noticed() -> None:
    files = {
        "jpeg": jpeg(PICTURE)[:-2],  # what misses no more than its end marker is used: below
        "progressive": encoded(".jpg", PICTURE, PROGRESSIVE),
        "png": RGB_PNG,
        "webp": encoded(".webp", PICTURE),
        "lossless webp": encoded(".webp", PICTURE, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        "bmp": encoded(".bmp", PICTURE),
    }
    for name, data in files.items():
        cuts = {len(data) * share // 100 for share in range(2, 100)} | {len(data) - 1}
        for length in sorted(cuts):
            assert refusal(data[:length])[0] in (Reason.DAMAGED, Reason.UNSUPPORTED), name
            if length >= 32:
                assert refusal(data[:length])[0] == Reason.DAMAGED, (name, length)


@pytest.mark.parametrize("options", [SEQUENTIAL, PROGRESSIVE])
def test_half_a_jpeg_with_an_end_marker_is_damaged(options: list[int]) -> None:
    read(jpeg(picture(seed=1)))
    data = encoded(".jpg", PICTURE, options)
    assert refusal(data[: len(data) // 2] + b"\xff\xd9")[0] == Reason.DAMAGED


def test_a_jpeg_that_only_lacks_its_end_marker_is_used() -> None:
    data = jpeg(PICTURE)
    assert np.array_equal(read(data[:-2]), read(data))
    assert np.array_equal(read(data[:-1]), read(data))
    reason, detail = refusal(data[:-3])
    assert reason == Reason.DAMAGED
    assert "Premature end" in detail


def test_a_jpeg_in_several_scans_must_have_its_end_marker() -> None:
    data = encoded(".jpg", PICTURE, PROGRESSIVE)
    last = [segment for segment in read_segments(data) if segment.marker == SOS][-1]
    assert refusal(data[:-2])[0] == Reason.DAMAGED
    assert refusal(data[: last.start - 4])[0] == Reason.DAMAGED  # all scans but the last, whole


def channel_by_channel() -> bytes:
    """A sequential JPEG that keeps Y, Cb and Cr in a scan of their own each."""
    planes = cv2.split(cv2.cvtColor(PICTURE, cv2.COLOR_BGR2YCrCb))
    grays: list[bytes] = [
        simplejpeg.encode_jpeg(planes[i][..., None], 90, "GRAY", "Gray") for i in (0, 2, 1)
    ]
    scans = [data[data.index(b"\xff\xda") + 10 : -2] for data in grays]
    frame = grays[0].index(b"\xff\xc0")
    channels = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    start = b"\xff\xc0\0\x11" + grays[0][frame + 4 : frame + 9] + b"\3" + channels
    tables = grays[0][frame + 13 : grays[0].index(b"\xff\xda")]
    parts = [
        b"\xff\xda\0\x08\1" + bytes([number, 0, 0, 63, 0]) + scan
        for number, scan in enumerate(scans, 1)
    ]
    return grays[0][:frame] + start + tables + b"".join(parts) + b"\xff\xd9"


def test_channels_in_scans_of_their_own_are_read_but_never_mended() -> None:
    data = channel_by_channel()
    assert far(read(data), PICTURE) < 4
    starts = [segment.start - 4 for segment in read_segments(data) if segment.marker == SOS]
    for length in (starts[1], starts[2], len(data) - 2):
        assert refusal(data[:length])[0] == Reason.DAMAGED


def test_a_sequential_scan_that_states_no_spectrum_is_used() -> None:
    data = jpeg(PICTURE)
    scan = next(segment for segment in read_segments(data) if segment.marker == SOS)
    odd = data[: scan.end - 3] + bytes(3) + data[scan.end :]
    with pytest.raises(ValueError, match="Invalid SOS"):
        simplejpeg.decode_jpeg(odd, "BGR")
    assert np.array_equal(read(odd), read(data))
    assert refusal(odd[: len(odd) // 2])[0] == Reason.DAMAGED


def test_a_zeroed_middle_is_noticed_where_checksums_tell() -> None:
    middle = len(RGB_PNG) // 2
    assert refusal(RGB_PNG[:middle] + bytes(40) + RGB_PNG[middle + 40 :])[0] == Reason.DAMAGED


def test_a_png_is_damaged_by_any_flipped_bit_behind_its_signature() -> None:
    for position in range(8, len(RGB_PNG), 97):
        data = bytearray(RGB_PNG)
        data[position] ^= 0x10
        reason, detail = refusal(bytes(data))
        assert reason == Reason.DAMAGED
        assert "cut or altered" in detail, position


def test_a_png_with_too_few_pixels_is_damaged() -> None:
    assert refusal(png(np.zeros((HEIGHT // 2, WIDTH), np.uint8), SIZE, 8, 0))[0] == Reason.DAMAGED


def frame(kind: int, bits: int = 8, channels: int = 3) -> bytes:
    data = bytearray(jpeg(PICTURE))
    start = data.index(b"\xff\xc0")
    data[start + 1], data[start + 4], data[start + 9] = kind, bits, channels
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GIF89a\x01\0\x01\0", "GIF"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x20ftypheic\0\0", "HEIC"),
        (b"\0\0\0\x20ftypmif1\0\0", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0", "AVIF"),
        (b"\0\0\0\x20ftypisom\0\0", "a video"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b'<?xml version="1.0"?><svg>', "SVG"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\xff", "unknown bytes"),
        (frame(0xC3), "lossless"),
        (frame(0xC9), "arithmetic"),
        (frame(0xC1, bits=12), "12 bits"),
        (frame(0xC0, channels=2), "2 channels"),
        (
            png(GRAY, SIZE, 8, 0, chunk(b"acTL", struct.pack(">II", 2, 0))),
            "animated PNG",
        ),
        (riff((b"VP8X", b"\x02" + bytes(9)), (b"ANIM", bytes(6))), "animated WebP"),
        (encoded(".bmp", GRAY)[:30] + b"\x01\0\0\0" + encoded(".bmp", GRAY)[34:], "compressed"),
    ],
)
def test_other_formats_are_named(data: bytes, named: str) -> None:
    reason, detail = refusal(data)
    assert reason == Reason.UNSUPPORTED
    assert named in detail


def test_the_name_does_not_matter_only_the_bytes() -> None:
    formats = [
        read_header(encoded(ending, PICTURE), 10_000)
        for ending in (".jpg", ".png", ".webp", ".bmp")
    ]
    assert [header.format for header in formats] == ["JPEG", "PNG", "WebP", "BMP"]
    assert {(header.width, header.height) for header in formats} == {SIZE}


def test_no_bytes() -> None:
    assert refusal(b"") == (Reason.EMPTY, "no bytes")


def resized(width: int, height: int) -> bytes:
    data = bytearray(jpeg(PICTURE))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (resized(65500, 65500), "65500×65500"),
        (png(GRAY, (20_000, 20_000), 8, 0), "20000×20000"),
        (png(GRAY, (2**31, 1), 8, 0), "2147483648×1"),
        (riff((b"VP8X", b"\0" * 4 + b"\xff" * 6)), "16777216×16777216"),
        (b"BM" + bytes(12) + struct.pack("<Iii", 40, 30_000, -30_000) + bytes(8), "30000×30000"),
    ],
    ids=["jpeg", "png", "wide png", "webp", "bmp"],
)
def test_too_many_pixels_are_refused_before_decoding(data: bytes, said: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_header(data, 200_000_000)
    reason, detail = caught.value.drop.reason, caught.value.drop.detail
    assert reason == Reason.TOO_LARGE
    assert said in detail
    assert "200,000,000" in detail


def test_the_pixel_limit_is_exact() -> None:
    assert read(RGB_PNG, max_pixels=WIDTH * HEIGHT).shape == PICTURE.shape
    assert refusal(RGB_PNG, max_pixels=WIDTH * HEIGHT - 1)[0] == Reason.TOO_LARGE


def test_no_pixels_at_all() -> None:
    assert refusal(resized(0, 60))[0] == refusal(png(GRAY, (0, 0), 8, 0))[0] == Reason.DAMAGED


def test_a_thousand_scans_are_refused_before_decoding() -> None:
    data = encoded(".jpg", PICTURE, PROGRESSIVE)
    last = [segment for segment in read_segments(data) if segment.marker == SOS][-1]
    scan = data[last.start - 4 : -2]
    bomb = data[:-2] + scan * 1000 + data[-2:]
    with pytest.raises(Unusable, match="scans") as caught:
        read_header(bomb, 200_000_000)
    assert caught.value.drop.reason == Reason.TOO_LARGE
    assert np.array_equal(read(data + bomb), read(data))  # behind the end it does no harm


def test_scans_behind_a_whole_sequential_one_are_never_decoded() -> None:
    data = jpeg(PICTURE)
    scan = next(segment for segment in read_segments(data) if segment.marker == SOS)
    bomb = data[:-2] + data[scan.start - 4 : -2] * 1000 + data[-2:]
    # The decoder stops at the second of them: a thousand are reported like one.
    assert refusal(bomb) == refusal(data[:-2] + data[scan.start - 4 : -2] + data[-2:])
    reason, detail = refusal(bomb)
    assert (reason, "decoder says" in detail) == (Reason.DAMAGED, True)


def test_a_picture_of_another_size_than_its_header_states_is_damaged() -> None:
    for data in (RGB_PNG, jpeg(PICTURE)):
        stated = dataclasses.replace(read_header(data, 10_000), height=HEIGHT - 1)
        with pytest.raises(Unusable, match="damaged"):
            decode(data, stated)

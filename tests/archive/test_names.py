from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.archive.names import decode_entry_name, decode_name, drop_by_name
from fertools.data import Reason
from fertools.errors import printable

EMOTIONS = ["기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립"]


@pytest.mark.parametrize("word", [*EMOTIONS, "뷁", "쨰", "교통&이동수단(엘리베이터 포함)"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_korean_word_is_read_from_either_encoding(word: str, encoding: str) -> None:
    assert decode_name(word.encode(encoding)) == word


@pytest.mark.parametrize("word", EMOTIONS)
def test_decomposed_names_become_nfc(word: str) -> None:
    assert decode_name(unicodedata.normalize("NFD", word).encode()) == word


def test_a_name_in_no_encoding_keeps_its_odd_bytes_visible() -> None:
    assert decode_name(b"a\xff\x80.jpg") == r"a\xff\x80.jpg"


@given(st.binary(max_size=40))
def test_every_name_has_a_text_in_nfc_that_can_be_encoded(raw: bytes) -> None:
    name = decode_name(raw)
    assert unicodedata.is_normalized("NFC", name)
    name.encode("utf-8")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"../../etc/a.jpg", "etc/a.jpg"),
        (b"/abs/a.jpg", "abs/a.jpg"),
        (rb"C:\photos\a.jpg", "C:/photos/a.jpg"),
        (b"./a//b/./c.jpg", "a/b/c.jpg"),
        (b"", "(no name)"),
        (b"..", "(no name)"),
        ("기쁨\\뷁.jpg".encode("cp949"), "기쁨/뷁.jpg"),
    ],
)
def test_a_packed_name_never_leaves_its_container(raw: bytes, name: str) -> None:
    assert decode_entry_name(raw) == name


@pytest.mark.parametrize("name", ["a.jpg", "b/a.JPEG", "a.Png", "a.webp", "a.b.bmp", "기쁨/a.jpg"])
def test_photos_are_known_by_their_ending_in_any_case(name: str) -> None:
    assert drop_by_name(name) is None


@pytest.mark.parametrize(
    ("name", "reason", "part"),
    [
        ("Thumbs.db", Reason.NOT_A_PHOTO, ".db"),
        ("a/._a.jpg", Reason.NOT_A_PHOTO, "macOS"),
        ("__MACOSX/a.jpg", Reason.NOT_A_PHOTO, "macOS"),
        ("a/__MACOSX/b/a.jpg", Reason.NOT_A_PHOTO, "macOS"),
        (".git/a.jpg", Reason.NOT_A_PHOTO, "hidden"),
        ("a.jpg.irx603", Reason.NOT_A_PHOTO, ".irx603"),
        ("a/b.d/README", Reason.NOT_A_PHOTO, "no ending"),
        ("a.\x1b[2J", Reason.NOT_A_PHOTO, r"\x1b[2j"),
        ("inner.zip", Reason.NOT_A_PHOTO, "unpack it"),
        ("img(기쁨).JSON", Reason.LABEL_FILE, ""),
        ("IMG_0001.HEIC", Reason.UNSUPPORTED, "a HEIC picture: convert it to JPEG"),
        ("a/b.heif", Reason.UNSUPPORTED, "HEIF"),
        ("a/b.avif", Reason.UNSUPPORTED, "AVIF"),
        ("a/b.gif", Reason.UNSUPPORTED, "GIF"),
        ("a/b.Tiff", Reason.UNSUPPORTED, "TIFF"),
        ("a/b.tif", Reason.UNSUPPORTED, "TIFF"),
        ("a/._b.heic", Reason.NOT_A_PHOTO, "macOS"),
    ],
)
def test_what_is_no_photo_says_why(name: str, reason: Reason, part: str) -> None:
    drop = drop_by_name(name)
    assert drop is not None
    assert drop.reason is reason
    assert part in drop.detail


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("기쁨 a.jpg", "기쁨 a.jpg"),
        ("=cmd().jpg", "=cmd().jpg"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("a\x00b\x7f\u2028", r"a\x00b\x7f\u2028"),
        ("\udcff", r"\udcff"),
    ],
)
def test_printing_a_name_cannot_move_the_cursor_or_turn_the_text(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_is_printed_is_one_printable_line(name: str) -> None:
    assert printable(name).isprintable()

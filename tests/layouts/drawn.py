"""Draw small archives in the exact layouts of known data sets; nobody's face is in them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 48
FER_USAGES = ("Training",) * 8 + ("PublicTest", "PrivateTest")


def picture(seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Draw a gray picture that differs from those of all other seeds; uint8, (side, side)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8), np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def pixels_text(seed: int, side: int = SIDE) -> str:
    return " ".join(map(str, picture(seed, side).ravel().tolist()))


def fer_rows(rows: int) -> list[tuple[int, str, str]]:
    """Return emotion, pixels and usage of each row: classes in turn, a tenth for each test."""
    return [(i % 7, pixels_text(i), FER_USAGES[i % 10]) for i in range(rows)]


def write_fer2013(folder: Path, rows: int = 70, header: str = "emotion,pixels,Usage") -> Path:
    """Write fer2013.csv, or another of its forms, by its header."""
    folder.mkdir(parents=True, exist_ok=True)
    order = [name.strip("\ufeff ").lower() for name in header.split(",")]
    lines = [header]
    for emotion, pixels, usage in fer_rows(rows):
        values = {"emotion": str(emotion), "pixels": pixels, "usage": usage}
        lines.append(",".join(values[name] for name in order))
    path = folder / "fer2013.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


#: Votes for neutral, happiness, …, contempt, unknown, NF: ten each, as in fer2013new.csv.
FERPLUS_VOTES: Sequence[tuple[int, ...]] = (
    (4, 0, 0, 1, 3, 2, 0, 0, 0, 0),  # the file's own first row: no majority
    (0, 10, 0, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 6, 0, 0, 0, 4, 0, 0, 0),
    (5, 5, 0, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 7, 3, 0),
    (1, 1, 0, 0, 0, 0, 0, 0, 8, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 10),  # not a face: without a name
)
FERPLUS_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def ferplus_votes(row: int) -> tuple[int, ...]:
    return FERPLUS_VOTES[row % len(FERPLUS_VOTES)]


def write_ferplus(folder: Path, rows: int = 70) -> Path:
    """Write fer2013new.csv beside fer2013.csv, in the same order."""
    write_fer2013(folder, rows)
    lines = [FERPLUS_HEADER]
    for i in range(rows):
        votes = ferplus_votes(i)
        name = "" if votes[-1] == 10 else f"fer{i:07d}.png"
        lines.append(",".join([FER_USAGES[i % 10], name, *map(str, votes)]))
    path = folder / "fer2013new.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_picture(path: Path, seed: int, side: int = SIDE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = ".png" if path.suffix == ".png" else ".jpg"
    path.write_bytes(cv2.imencode(ending, picture(seed, side))[1].tobytes())


def write_rafdb(folder: Path, photos: int = 14, forms: str = "official") -> Path:
    """Write RAF-DB as its authors do, or Kaggle's copy: labels 1 to 7 in turn, a third is test."""
    labels = []
    for i in range(photos):
        split, label = ("test", "train", "train")[i % 3], i % 7 + 1
        name = f"{split}_{i:05d}"
        labels.append((split, name, label))
        if forms == "official":
            write_picture(folder / "Image" / "aligned" / f"{name}_aligned.jpg", i)
            write_picture(folder / "Image" / "original" / f"{name}.jpg", 1000 + i)
        else:
            write_picture(folder / "DATASET" / split / str(label) / f"{name}_aligned.jpg", i)
    if forms == "official":
        (folder / "EmoLabel").mkdir()
        lines = [f"{name}.jpg {label}\n" for _, name, label in labels]
        (folder / "EmoLabel" / "list_patition_label.txt").write_text("".join(lines))
    else:
        for split in ("train", "test"):
            own = [f"{name}_aligned.jpg,{label}\n" for s, name, label in labels if s == split]
            (folder / f"{split}_labels.csv").write_text("image,label\n" + "".join(own))
    return folder


def write_ckplus(folder: Path, people: int = 8) -> Path:
    """Write CK+: sequences of three frames, of which the last has an emotion file; one has none."""
    for who in range(people):
        for take in (1, 2):
            sequence = f"S{who + 5:03d}/{take:03d}"
            for frame in (1, 2, 3):
                name = f"{sequence.replace('/', '_')}_{frame:08d}"
                path = folder / "cohn-kanade-images" / sequence / f"{name}.png"
                write_picture(path, 100 * who + 10 * take + frame)
            if (who, take) == (0, 2):
                continue
            emotion = folder / "Emotion" / sequence / f"{name}_emotion.txt"
            emotion.parent.mkdir(parents=True, exist_ok=True)
            emotion.write_text(f"   {(2 * who + take) % 8:.7e}\n")
    return folder


def write_ck48(folder: Path, people: int = 6) -> Path:
    words = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for who in range(people):
        for take, word in enumerate(words[: 3 + who % 2]):
            name = f"S{who + 10:03d}_{take:03d}_00000017.png"
            write_picture(folder / "CK+48" / word / name, 10 * who + take)
    return folder


def write_jaffe(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for who, person in enumerate(("KA", "KL", "KM", "KR", "MK")):
        for at, emotion in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU")):
            path = folder / f"{person}.{emotion}{at % 3 + 1}.{39 + 7 * who + at}.tiff"
            path.write_bytes(tiff(picture(100 * who + at, 64)))
    (folder / "README").write_text("about the faces")
    return folder


def write_kdef(folder: Path) -> Path:
    for session in "AB":
        for who in ("F01", "F02", "M01", "M02"):
            for emotion in ("AF", "AN", "DI", "HA", "NE", "SA", "SU"):
                for angle in ("S", "HL"):
                    name = f"{session}{who}{emotion}{angle}.JPG"
                    seed = hash_of(name)
                    write_picture(folder / "KDEF" / f"{session}{who}" / name, seed)
    return folder


def write_kface(folder: Path, *, flat: bool = False) -> Path:
    for who in ("19062421", "19062431", "19070111", "19070121"):
        for expression in ("E01", "E02", "E03"):
            for camera in ("C6", "C7"):
                parts = (who, "S001", "L1", expression, camera)
                path = "_".join(parts) if flat else "Middle_Resolution/" + "/".join(parts)
                write_picture(folder / f"{path}.jpg", hash_of(path))
    return folder


def hash_of(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:4])


def tiff(image: NDArray[np.uint8]) -> bytes:
    """Write a gray TIFF of one strip, as JAFFE's."""
    height, width = image.shape
    tags = (
        (256, 3, width),
        (257, 3, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (279, 4, image.size),
    )
    entries = [
        struct.pack("<HHLH2x" if kind == 3 else "<HHLL", tag, kind, 1, value)
        for tag, kind, value in tags
    ]
    head = b"II*\0" + struct.pack("<L", 8 + image.size) + image.tobytes()
    return head + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)

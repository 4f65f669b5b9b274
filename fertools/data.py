"""Define the types that pass from the archive to the shards. Read this module first.

    Member ──▶ Label          from its name
       └─────▶ Face ──▶ Crop  from its pixels
       └─────▶ Drop           the reason for which it is not used

All are small, frozen and free of numpy, so that they can be sent to a worker or written as a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: `ZipLocation.method` of an entry of a tar. Methods of zips are below 256.
IN_TAR: Final = 256

#: That of a row of a CSV with pixels (archive/pixels.py).
PIXEL_ROW: Final = 257


class Reason(StrEnum):
    """The reason for which a member did not become an example; the ledger contains its value."""

    NOT_A_PHOTO = "not_a_photo"  # Thumbs.db, ._ files of macOS, __MACOSX, any other ending
    LABEL_FILE = "label_file"  # a label JSON
    DAMAGED_ARCHIVE = "damaged_archive"  # a zip or a volume that cannot be read as a whole
    UNREADABLE = "unreadable"  # damage inside a zip, a link, a pipe; an accepted I/O error
    ENCRYPTED = "encrypted"  # a zip member that needs a password
    CHANGED = "changed"  # removed or another size since the scan, if accepted
    EMPTY = "empty"  # no bytes
    TOO_LARGE = "too_large"  # more bytes or pixels than the limits allow
    UNSUPPORTED = "unsupported"  # neither JPEG, PNG, WebP nor BMP, or animated
    DAMAGED = "damaged"  # the decoder refused the bytes
    NO_LABEL = "no_label"  # neither the name nor the folder has a class
    CLASS_DROPPED = "class_dropped"  # its class is not selected
    DISPUTED = "disputed"  # too few annotators agree
    REJECTED = "rejected"  # left out by a person's corrections of labels
    NO_FACE = "no_face"
    MANY_FACES = "many_faces"  # with --on-many reject
    CRASHED = "crashed"  # it crashed the decoder or the detector
    TIMED_OUT = "timed_out"  # it took longer than --photo-seconds
    DUPLICATE = "duplicate"  # with --duplicates drop: the picture is kept under another name
    CONFLICTING_LABEL = "conflicting_label"  # the same picture has another class under another name
    OVERLAP = "overlap"  # with --split official --overlap drop: the subject is in both halves
    UNASSIGNED = "unassigned"  # the user's split file has no split for it
    CAPPED = "capped"  # beyond --max-per-subject or --max-per-class


@dataclass(frozen=True, slots=True)
class Drop:
    """The reason for which a member is not used, and one line of detail."""

    reason: Reason
    detail: str = ""


class Unusable(Exception):
    """Raised when a photo cannot be used; the worker writes `drop` as the photo's ledger row."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.drop = Drop(reason, detail)


class ReadFault(Exception):
    """Raised when a photo could not be read, although its bytes may be undamaged.

    The disk reported an error, or the file was missing or being written. Another try may succeed,
    so `drop` becomes the photo's outcome only with --accept-unreadable.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)  # pickle calls __init__ with these arguments
        self.drop = Drop(reason, detail)

    def __str__(self) -> str:
        return self.drop.detail


@dataclass(frozen=True, slots=True)
class ZipLocation:
    """The location of a member in its zip or tar.

    `offset` is the offset of the local file header, counted over all volumes; `size` is the
    compressed size in bytes; `method` is 0 (stored), 8 (deflate) or 9 (deflate64), as in PKWARE's
    APPNOTE 4.4.5. For an entry of a tar, `offset` is the offset of its data, `method` IN_TAR, and
    `crc` 0: a tar has no checksums of data. A row of a CSV has the `offset`, `size` and `crc` of
    its line, and `method` PIXEL_ROW.
    """

    offset: int
    size: int
    method: int
    crc: int


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the archive, as the scan lists it without decoding it.

    key        container + "/" + name, NFC: stable, unique in the archive, readable
    container  the folder, zip or tar with this entry, relative to SRC ("" for SRC itself), NFC
    path       the file to open, relative to SRC, in the file system's bytes: the photo's own file,
               or the zip (or its first volume) or tar that contains the entry
    size       bytes, uncompressed
    modified   mtime of the file at `path` in ns, at the scan
    packed     the location in the zip or tar, or None for a loose file
    dropped    not None if the scan already knows that this is not a usable photo
    """

    key: str
    container: str
    path: bytes
    size: int
    modified: int
    packed: ZipLocation | None = None
    dropped: Drop | None = None

    @property
    def has_checksum(self) -> bool:
        """Whether the archive states a checksum of its bytes, so that its time says nothing."""
        return self.packed is not None and self.packed.method != IN_TAR

    @property
    def name(self) -> str:
        """The member's name inside its container, NFC, with "/" between folders."""
        return self.key[len(self.container) + 1 :] if self.container else self.key


@dataclass(frozen=True, slots=True)
class Label:
    """The fields of a member's name; None for a field that the name does not have.

    `emotion` is the archive's own Korean word, `sex` 남 or 여, `age` the decade (10 to 60),
    `stamp` YYYYMMDDhhmmss.
    """

    emotion: str | None = None
    subject: str | None = None
    sex: str | None = None
    age: int | None = None
    place: str | None = None
    stamp: str | None = None
    shot: int | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright photo, half-open: x0 <= x < x1, y0 <= y < y1.

    Width, height and area are never negative.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face: a box, the detector's confidence (0 to 1), and landmarks as in `Crop`."""

    box: Box
    confidence: float
    landmarks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A fingerprint of a whole upright photo, to find duplicates of the picture.

    hash       32 bytes, to find candidates: duplicates share most of the 256 bits
    thumbnail  4,096 bytes, to confirm candidates: the photo as 64 × 64 gray values, row by row

    A fingerprint identifies a picture, not a person: two photos of one face differ.
    """

    hash: bytes
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Crop:
    """The chosen face of one photo, cropped and encoded.

    image         the bytes of the crop, PNG or JPEG
    box           the chosen face's box in the upright photo, whole pixels, inside the photo
    confidence    the detector's confidence
    faces         number of faces found inside the photo
    width, height pixels of the upright photo
    landmarks     x, y of right eye, left eye, nose, right and left corner of the mouth, in pixels
                  of the upright photo, or () if the detector has no landmarks
    iou           intersection over union of the annotators' box and the detector's, or None
    fingerprint   of the whole photo, or None if not requested
    """

    image: bytes
    box: Box
    confidence: float
    faces: int
    width: int
    height: int
    landmarks: tuple[float, ...] = ()
    iou: float | None = None
    fingerprint: Fingerprint | None = None


class Split(StrEnum):
    """The use of an example: training, choosing the epoch, or the final evaluation."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

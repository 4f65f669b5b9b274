"""The nouns: what flows from the archive to the shards.

    Member ──▶ Label          what its name says
       └─────▶ Face ──▶ Crop  what its pixels say
       └─────▶ Drop           why it goes no further

Everything here is small, frozen and free of numpy, so that it can be sent to a worker or
written as a row. Whoever has read this page can read any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a member did not become an example: a closed set, one word in the ledger each."""

    NOT_A_PHOTO = "not_a_photo"  # Thumbs.db, ._twins, __MACOSX, anything with another ending
    LABEL_FILE = "label_file"  # a label JSON
    DAMAGED_ARCHIVE = "damaged_archive"  # a zip, or a piece of one, that cannot be read as a whole
    UNREADABLE = "unreadable"  # damage inside a zip, a link, a pipe; I/O errors where accepted
    ENCRYPTED = "encrypted"  # a zip member behind a password
    CHANGED = "changed"  # gone or of another size since the scan, where that was accepted
    EMPTY = "empty"  # no bytes
    TOO_LARGE = "too_large"  # more bytes or pixels than the limits allow
    UNSUPPORTED = "unsupported"  # not JPEG, PNG, WebP or BMP by its bytes or ending, or animated
    DAMAGED = "damaged"  # the decoder refused the bytes
    NO_LABEL = "no_label"  # neither the name nor the folder says a class
    CLASS_DROPPED = "class_dropped"  # the class is not among those asked for
    DISPUTED = "disputed"  # the annotators do not agree enough
    NO_FACE = "no_face"
    MANY_FACES = "many_faces"  # with --on-many reject
    CRASHED = "crashed"  # the decoder or the network died of it
    TIMED_OUT = "timed_out"  # it took longer than a photo may
    DUPLICATE = "duplicate"  # with --duplicates drop: the same picture is kept under another name
    CONFLICTING_LABEL = "conflicting_label"  # the same picture lies there under another class
    OVERLAP = "overlap"  # with --split official --overlap drop: its person is in both halves
    UNASSIGNED = "unassigned"  # the user's split file does not say where it belongs
    CAPPED = "capped"  # beyond --max-per-subject or --max-per-class


@dataclass(frozen=True, slots=True)
class Drop:
    """A member's end: the reason, and one line for a person."""

    reason: Reason
    detail: str = ""


class Unusable(Exception):
    """A photo cannot be used; raised inside a room, turned into a ledger row at its door."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.drop = Drop(reason, detail)


class ReadFault(Exception):
    """A photo could not be read now, though nothing says that its bytes are damaged.

    The disk reported an error, the file was gone or being written to. Another try may succeed, so
    this is never recorded as the photo's outcome unless the user asks for it; `drop` is the row
    that it becomes then.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)  # both, so that it can be pickled
        self.drop = Drop(reason, detail)

    def __str__(self) -> str:
        return self.drop.detail


@dataclass(frozen=True, slots=True)
class Packed:
    """Where a member lies in its zip.

    `offset` is that of the local file header, counted over all pieces; `size` the compressed
    size in bytes; `method` 0 (stored) or 8 (deflate), as in PKWARE's APPNOTE 4.4.5.
    """

    offset: int
    size: int
    method: int
    crc: int


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the archive, found without reading a pixel.

    key        container + "/" + name, NFC: stable, unique in the archive, for people
    container  the folder or zip it lies in, relative to SRC ("" for SRC itself), NFC
    path       what to open, relative to SRC, as the file system spells it: the photo's own file,
               or the zip (or that zip's first piece) that `packed` points into
    size       bytes, uncompressed
    modified   the opened file's mtime in ns when it was scanned
    packed     None for a loose file
    dropped    set where the scan already knows that this is no usable photo
    """

    key: str
    container: str
    path: bytes
    size: int
    modified: int
    packed: Packed | None = None
    dropped: Drop | None = None

    @property
    def name(self) -> str:
        """The member's name inside its container, NFC, with "/" between folders."""
        return self.key[len(self.container) + 1 :] if self.container else self.key


@dataclass(frozen=True, slots=True)
class Label:
    """What a member's name says; every field that the name does not hold is None.

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
    """A rectangle in pixels of the upright photo, half-open: x0 <= x < x1, y0 <= y < y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Pixels from left to right, never negative."""
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        """Pixels from top to bottom, never negative."""
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Face:
    """One answer of a detector: a box, how sure it is (0 to 1), and landmarks as in `Crop`."""

    box: Box
    confidence: float
    landmarks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is left of a whole upright photo to tell whether another one is a copy of it.

    hash       32 bytes: 256 bits of which copies share most, to find candidates by
    thumbnail  4,096 bytes: the photo as 64 × 64 gray values, row by row, to confirm them by

    It is a picture's, not a person's: two photos of one face have nothing in common here.
    """

    hash: bytes
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class Crop:
    """The chosen face of one photo, cut out and encoded.

    image         the finished picture's bytes, PNG or JPEG
    box           the chosen face's box in the upright photo, whole pixels, inside the frame
    confidence    the detector's
    faces         how many faces were found inside the frame
    width, height pixels of the upright photo
    landmarks     x, y of right eye, left eye, nose, right and left corner of the mouth, in pixels
                  of the upright photo, or () where the detector gives none
    iou           intersection over union of the annotators' box and the detector's, or None
    fingerprint   of the whole photo, or None where none was asked for
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
    """Who sees an example: the network, the choice of the epoch, or the final figure."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"

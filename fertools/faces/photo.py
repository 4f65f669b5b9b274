"""One photo, from the bytes of its file to the bytes of its crop."""

from __future__ import annotations

from fertools.data import Crop
from fertools.faces.choose import choose, find_faces
from fertools.faces.crop import crop_gray, encode
from fertools.faces.decode import decode
from fertools.faces.detector import Detector
from fertools.faces.exif import turn_upright
from fertools.faces.formats import read_header
from fertools.faces.recipe import FaceRecipe


def cut(data: bytes, recipe: FaceRecipe, detector: Detector) -> Crop:
    """Cuts the face out of a photo.

    Raises Unusable where there is none to be had: EMPTY, UNSUPPORTED, TOO_LARGE, DAMAGED,
    NO_FACE, MANY_FACES.
    """
    header = read_header(data, recipe.max_pixels)
    image = turn_upright(decode(data, header), header.orientation)
    height, width = image.shape[:2]
    faces = find_faces(image, recipe, detector)
    face = choose(faces, recipe)
    picture = encode(crop_gray(image, face.box, recipe), recipe)
    return Crop(picture, face.box, face.confidence, len(faces), width, height)

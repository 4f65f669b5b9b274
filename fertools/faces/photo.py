"""One photo, from the bytes of its file to the bytes of its crop."""

from __future__ import annotations

from fertools.data import Box, Crop, Face
from fertools.faces.annotated import as_face, inside, iou
from fertools.faces.choose import choose, find_faces
from fertools.faces.crop import crop_gray
from fertools.faces.detector import Detector
from fertools.faces.encode import encode
from fertools.faces.fingerprint import fingerprint
from fertools.faces.formats import read_header
from fertools.faces.picture import Picture, expected_face, scale_for
from fertools.faces.recipe import FaceRecipe


def cut(data: bytes, recipe: FaceRecipe, detector: Detector, annotated: Box | None = None) -> Crop:
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


def _chosen(faces: list[Face], recipe: FaceRecipe, drawn: Box | None) -> tuple[Face, float | None]:
    """The face to cut out, and its IoU with the annotators' box or the network's."""
    if drawn is not None and recipe.detector == "aihub":
        return as_face(drawn, faces)
    face = choose(faces, recipe)
    return face, iou(drawn, face.box) if drawn else None

"""Where the face is: the bytes of a photo in, one upright gray crop or a reason out.

Example: cut(data, FaceRecipe(), load_detector(FaceRecipe())) -> Crop(image=b"\\x89PNG…", …)
"""

from fertools.faces.annotated import inside, iou
from fertools.faces.detector import Detector, check_detector, load_detector
from fertools.faces.photo import cut
from fertools.faces.recipe import FaceRecipe
from fertools.faces.runtime import resolve_runtime

__all__ = [
    "Detector",
    "FaceRecipe",
    "check_detector",
    "cut",
    "inside",
    "iou",
    "load_detector",
    "resolve_runtime",
]

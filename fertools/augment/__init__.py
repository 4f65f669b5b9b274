"""Altered copies of crops, made once and written to disk, as the talk did it."""

from fertools.augment.talk import Warp, alter, talk_warp

__all__ = ["Warp", "alter", "talk_warp"]

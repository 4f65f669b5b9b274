"""A zip's bytes by offset, whether it is one file or many."""

from __future__ import annotations

from fertools.archive.files import Files, read_at
from fertools.archive.pieces import Hole, Layout, Piece
from fertools.data import ReadFault, Reason, Unusable


class Joined:
    """Reads the pieces of a layout as if they were one file; nothing is copied together."""

    def __init__(self, layout: Layout, files: Files) -> None:
        self.layout = layout
        self.size = layout.size
        self._files = files

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises Unusable, UNREADABLE, if the range leaves the zip or touches a hole (the missing
        piece is named), ReadFault if a file is shorter than its layout says, and OSError if one
        cannot be read.
        """
        parts = []
        while count > 0:
            part = self._read_piece(offset, count)
            parts.append(part)
            offset += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def name_at(self, offset: int) -> str:
        """Name the file that holds an offset, for a message."""
        piece = self.layout.at(offset)
        return piece.name if isinstance(piece, Piece) else "no piece"

    def solid_until(self, offset: int) -> int:
        """Give the end of the unbroken run at an offset: a hole's start, or the size."""
        later = (hole.start for hole in self.layout.holes if hole.end > offset)
        return max(offset, min(later, default=self.size))

    def solid_from(self, offset: int) -> int:
        """Give the first offset, not before this one, whose byte is there."""
        while hole := self.layout.hole(offset, offset + 1):
            offset = hole.end
        return offset

    @property
    def tail(self) -> int:
        """Where the last unbroken run of bytes starts."""
        return max((hole.end for hole in self.layout.holes), default=0)

    def _read_piece(self, offset: int, count: int) -> bytes:
        """Give what one piece has of a range, at least a byte."""
        piece = self.layout.at(offset)
        if isinstance(piece, Hole):
            raise Unusable(Reason.UNREADABLE, piece.what)
        if piece is None:
            raise Unusable(Reason.UNREADABLE, f"byte {offset:,} lies outside the zip")
        descriptor = self._files.descriptor(piece.path)
        data = read_at(descriptor, offset - piece.start, min(count, piece.end - offset))
        if not data:
            raise ReadFault(Reason.CHANGED, f"{piece.name} is shorter than it was")
        return data

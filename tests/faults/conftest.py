"""A disk that refuses, at any step and for any reason."""

from __future__ import annotations

import errno
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fertools import files

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EFBIG)


class Disk:
    """Counts opening, writing, syncing and renaming, and refuses from one of them on."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.refuses_at: int | None = None
        self.error = errno.ENOSPC

    def ask(self, step: str) -> None:
        self.asked[step] += 1
        if self.refuses_at is not None and self.asked.total() > self.refuses_at:
            raise OSError(self.error, os.strerror(self.error))

    def step(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*given: Any, **named: Any) -> Any:
            self.ask(name)
            return real(*given, **named)

        return asked

    def reset(self, at: int | None, error: int = errno.ENOSPC) -> None:
        self.asked, self.refuses_at, self.error = Counter(), at, error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Put a layer that can fail under every file that a build writes."""
    layer = Disk()

    class Layered(io.FileIO):
        def __init__(self, path: Path, mode: str) -> None:
            layer.ask("open")
            super().__init__(path, mode)

        def write(self, data: Any, /) -> int:
            layer.ask("write")
            return super().write(data[: max(1, len(data) // 2)])  # and a short write each time

    class Io:
        FileIO = Layered

    monkeypatch.setattr(files, "io", Io)

    def write_bytes(self: Path, data: bytes) -> int:
        layer.ask("open")
        written = real(self, data[: len(data) // 2])  # half of it is there when the disk is full
        layer.ask("write")
        with self.open("ab") as file:
            return written + file.write(data[len(data) // 2 :])

    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    monkeypatch.setattr(os, "fsync", layer.step("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", layer.step("rename", Path.replace))
    monkeypatch.setattr(Path, "mkdir", layer.step("mkdir", Path.mkdir))
    yield layer
    layer.reset(None)

"""Read a zip whose volumes were joined in the wrong order, without writing it again.

AI-Hub's downloader joins volumes of 1 GiB. Where its `sort -V` has no effect (macOS), it joins them
in the order of their names as text, so that from the eleventh volume on every byte is misplaced:

    file   part0 │ part1073741824 │ part10737418240 │ part11811160064 │ … │ part9663676416
    zip    0       1                10                11                    9

The zip is then the same file, read in another order. A wrong order may still have the directory at
the right offset, so an order is accepted only if the directory is whole and the first entry of each
volume has its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.containers.central_directory import has_directory, read_central_directory
from fertools.archive.containers.entry import LOCAL_HEADER, LOCAL_SIGNATURE, Entries
from fertools.archive.containers.volumes import VolumeReader, VolumeSet
from fertools.data import Unusable

#: The size of the volumes of AI-Hub.
VOLUME_BYTES: Final = 1 << 30

#: With fewer volumes the order of the names as text is the right one.
_FEWEST: Final = 11

#: Entries that are compared with their local headers, beside the first one of each volume.
_SAMPLES: Final = 64


def rejoin(zipped: VolumeReader) -> VolumeReader | None:
    """Return a reader of the same zip with its volumes in the right order.

    None if the zip needs none, or if no known order is right. Raises OSError, ReadFault.
    """
    volumes = zipped.volume_set.volumes
    if len(volumes) > 1 or zipped.size <= (_FEWEST - 1) * VOLUME_BYTES or has_directory(zipped):
        return None
    for order in _text_orders(-(-zipped.size // VOLUME_BYTES)):
        candidate = zipped.arranged(_arrange(zipped.volume_set, order))
        if _is_right(candidate):
            return candidate
    return None


def _text_orders(count: int) -> Iterator[list[int]]:
    """Yield the orders in which text sorts names of volumes: by offset, from 0, or from 1 on."""
    for step, first in ((VOLUME_BYTES, 0), (1, 0), (1, 1)):
        names = [str(step * volume + first) for volume in range(count)]
        yield sorted(range(count), key=names.__getitem__)


def _arrange(volume_set: VolumeSet, order: list[int]) -> VolumeSet:
    """Divide the file into volumes that lie in it in this order."""
    whole = volume_set.volumes[0]
    volumes, at = {}, whole.at
    for number in order:
        start = number * VOLUME_BYTES
        size = min(VOLUME_BYTES, whole.size - start)
        volumes[number] = replace(whole, start=start, size=size, within=whole.file, at=at)
        at += size
    note = (
        f"its {len(order)} volumes of 1 GiB were joined in the order of their names as text; "
        "it is read in the right order, nothing needs to be repaired"
    )
    return VolumeSet(tuple(volumes[number] for number in sorted(volumes)), notes=(note,))


def _is_right(zipped: VolumeReader) -> bool:
    try:
        listing = read_central_directory(zipped)
        entries = listing.entries.by_offset()
        return (
            len(entries) > 0
            and not listing.faults
            and all(_has_entry(zipped, entries, number) for number in _sample(zipped, entries))
        )
    except Unusable:  # no directory, or a header outside of the zip
        return False


def _sample(zipped: VolumeReader, entries: Entries) -> list[int]:
    """Return the numbers of entries to compare: the first in each volume, and others evenly."""
    starts = [volume.start for volume in zipped.volume_set.volumes]
    firsts: NDArray[Any] = np.searchsorted(entries.fields["offset"], starts)
    evenly = np.linspace(0, len(entries) - 1, min(_SAMPLES, len(entries))).astype(np.int64)
    numbers: list[int] = np.unique(np.concatenate([firsts, evenly])).tolist()
    return [number for number in numbers if number < len(entries)]


def _has_entry(zipped: VolumeReader, entries: Entries, number: int) -> bool:
    """Return whether the local header of an entry has its name."""
    entry = entries.entry(number)
    text = zipped.read(entry.offset, LOCAL_HEADER.size + len(entry.name))
    return text.startswith(LOCAL_SIGNATURE) and text[LOCAL_HEADER.size :] == entry.name

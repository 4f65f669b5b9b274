"""Write the shards in groups; the crops of a group are read in one forward pass over the parts.

    plan ─groups─▶ some shards ─prefetch─▶ page cache ─▶ a ShardTask a shard, in parallel
                        ▲                                          │
                        └──────── the next group ◀──── release ────┘

The crops of a shard are spread over all parts, so a shard that is read alone moves a hard disk's
head once a crop: 490,000 times for the whole archive, which is hours. Therefore the kernel is told
the crops of as many shards as fit into a quarter of the memory, in the order of the parts. It reads
them into its page cache while the head moves over the data once, and the workers find them there.
Each crop is read from the disk once, and a pass reads nothing but its own crops.

The memory is the kernel's, not that of a process: where the bound is wrong, or the system does not
follow the advice, crops are read again or one by one, and the shards are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from fertools.columns import Ints
from fertools.dataset.manifest import ShardFile
from fertools.pipeline.parts import PartFiles, open_part
from fertools.pipeline.shards import ShardTask
from fertools.workers.dask import connected_cluster
from fertools.workers.tasks import run_tasks

#: The share of the memory that the crops of a group may take. They stay in the page cache until
#: they are used: as many bytes of shards are written meanwhile, and must not displace them.
_SHARE: Final = 1 / 4

#: Bytes of a request. Linux cuts what a longer one asks for, to the read-ahead of the disk.
_REQUEST: Final = 128 << 10

#: Bytes of memory, where the system does not say.
_UNKNOWN_MEMORY: Final = 4 << 30

#: The folders of control groups, version 2 and 1, and the file of the limit there.
_CGROUPS: Final = {
    "": (Path("/sys/fs/cgroup"), "memory.max"),
    "memory": (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
}


def write_shards(
    tasks: Sequence[ShardTask], parts: Sequence[PartFiles], *, shard_bytes: int, jobs: int
) -> Iterator[ShardFile]:
    """Write the shards of tasks, and yield each as it is finished.

    parts        in the order in which their files were written
    shard_bytes  the average size of a shard

    Raises as `run_tasks`; DamagedPart and OutputError for a part that cannot be read.
    """
    if connected_cluster.get() is not None:  # what this machine reads is not in the nodes' memory
        yield from run_tasks(tasks, jobs)
        return
    groups = group_shards(len(tasks), shard_bytes, int(available_memory() * _SHARE), jobs)
    for group in groups:
        chosen = [tasks[number] for number in group]
        with _prefetched(chosen, parts, release=len(groups) > 1):
            yield from run_tasks(chosen, jobs)


def group_shards(count: int, shard_bytes: int, memory: int, jobs: int) -> list[range]:
    """Divide shards into groups of one size, to within one: as few as the memory allows.

    A group has at least one shard for each of the `jobs`, because each needs the memory of one.

    Example: 5 shards of 10 bytes, 25 bytes of memory, 1 job -> [0 1] [2 3] [4], as ranges
    """
    most = max(jobs, memory // shard_bytes)
    groups = -(-count // most)
    return [range(-(-count * k // groups), -(-count * (k + 1) // groups)) for k in range(groups)]


def available_memory() -> int:
    """Return the bytes of memory that are free or hold only a cache, at most the container's."""
    return min([*_limits(), _free_memory()])


def _free_memory() -> int:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return _UNKNOWN_MEMORY


def _limits() -> Iterator[int]:
    """Yield the memory limits of this process's control groups and of those around them."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controller, name = line.split(":", 2)
            if controller in _CGROUPS:
                root, file = _CGROUPS[controller]
                own = root / name.lstrip("/")
                for folder in (own, *own.parents):
                    with suppress(OSError, ValueError):  # no such group in a container; "max"
                        yield int((folder / file).read_text())


@contextmanager
def _prefetched(
    tasks: Sequence[ShardTask], parts: Sequence[PartFiles], *, release: bool
) -> Iterator[None]:
    """Have the crops of these shards in the page cache in the block.

    release   remove all crops from it after the block, so that the next group's find room
    """
    if not hasattr(os, "posix_fadvise"):
        yield
        return
    for part, offsets, lengths in _crops(tasks, parts):
        with open_part(part) as file:
            for offset, length in requests(offsets, lengths):
                _advise(file, os.POSIX_FADV_WILLNEED, offset, length)
    yield
    if release:
        for part in parts:
            with open_part(part) as file:
                _advise(file, os.POSIX_FADV_DONTNEED)


def _crops(
    tasks: Sequence[ShardTask], parts: Sequence[PartFiles]
) -> Iterator[tuple[PartFiles, Ints, Ints]]:
    """Yield the offsets and lengths of these shards' crops, part by part, both in order."""
    plan = pa.ipc.open_file(pa.memory_map(str(tasks[0].staging.plan)))
    names = ["part", "offset", "length"]
    table = pa.Table.from_batches([plan.get_batch(task.number).select(names) for task in tasks])
    known = pa.array([part.fingerprint for part in parts], pa.string())
    part = pc.index_in(table["part"], value_set=known).to_numpy()
    offset, length = (table[name].to_numpy() for name in names[1:])
    order = np.lexsort((offset, part))
    changes = np.flatnonzero(np.diff(part[order])) + 1
    for own in np.split(order, changes):
        yield parts[part[own[0]]], offset[own], length[own]


def requests(offsets: Ints, lengths: Ints) -> Iterator[tuple[int, int]]:
    """Yield the offset and length of each request for crops of one part, in order.

    Crops that follow each other are one request, up to the most bytes of one; a crop may be there
    several times.

    Example: offsets 0 10 40, lengths 10 10 10 -> (0, 20), (40, 10)
    """
    ends = offsets + lengths
    first = np.flatnonzero(np.append(True, offsets[1:] > ends[:-1]))
    last = np.append(first[1:] - 1, len(ends) - 1)
    for start, stop in zip(offsets[first].tolist(), ends[last].tolist(), strict=True):
        for at in range(start, stop, _REQUEST):
            yield at, min(_REQUEST, stop - at)


def _advise(file: BinaryIO, advice: int, offset: int = 0, length: int = 0) -> None:
    """Advise the kernel about a range of a file; a length of 0 is the rest. Never fails."""
    with suppress(OSError):  # a file system may not support it
        os.posix_fadvise(file.fileno(), offset, length, advice)

"""How long a report takes, how large its page is, and how the page behaves in a browser.

    python -m tests.benchmarks.bench_report                    20,000 and 500,000 entries
    python -m tests.benchmarks.bench_report 20000 --photos OUT repeats the dataset OUT of yours

A small dataset (drawn people, or OUT) is repeated until its ledger has that many rows: its shards
are written once and linked, each copy of its people has names of its own. Where the chromium of
the system and Playwright are there, the page is opened: first paint, a filter, the JavaScript heap
after the whole wall was scrolled.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import fertools
from fertools.dataset.manifest import (
    MANIFEST,
    Counts,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
)
from fertools.files import sha256_of
from tests.browser.chromium import CHROMIUM, opened

SIZES = (20_000, 500_000)

#: Copies of the small dataset in one shard.
_IN_SHARD = 50


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--photos", type=Path, help="a dataset to repeat instead of a drawn one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        small = asked.photos or _drawn(Path(place))
        for size in asked.sizes:
            big = Path(place) / f"repeated-{size}"
            repeat(small, big, size)
            for line in measure(big, Path(place) / "report.html"):
                print(line, flush=True)


def _drawn(place: Path) -> Path:
    fertools.make_sample(place / "archive", people=40, photos=400, troubles=True)
    fertools.build_dataset(place / "archive", place / "small", quiet=True)
    return place / "small"


def repeat(small: Path, big: Path, rows: int) -> Manifest:
    """Write a dataset with at least `rows` ledger rows, out of copies of a small one."""
    manifest = Manifest.read(small)
    copies = -(-rows // manifest.ledger.rows)
    copies = -(-copies // _IN_SHARD) * _IN_SHARD if copies > _IN_SHARD else copies
    in_shard = min(copies, _IN_SHARD)
    big.mkdir()
    splits = {
        name: _repeat_split(
            contents,
            small,
            big / f"big-{name}.tfrecord",
            shards=copies // in_shard,
            in_shard=in_shard,
        )
        for name, contents in manifest.splits.items()
    }
    ledger = big / manifest.ledger.file
    _repeat_ledger(small / manifest.ledger.file, ledger, manifest, copies=copies, in_shard=in_shard)
    counts = manifest.counts
    repeated = replace(
        manifest,
        splits=splits,
        counts=Counts(
            copies * counts.members,
            copies * counts.kept,
            {reason: copies * count for reason, count in counts.dropped.items()},
        ),
        ledger=LedgerFile(ledger.name, copies * counts.members, sha256_of(ledger)),
    )
    (big / MANIFEST).write_text(repeated.to_json(), "utf-8")
    return repeated


def _repeat_split(
    contents: SplitContents, small: Path, first: Path, *, shards: int, in_shard: int
) -> SplitContents:
    """Write one shard with `in_shard` copies of a split, and link it under `shards` names."""
    data = b"".join((small / shard.file).read_bytes() for shard in contents.shards) * in_shard
    digest, records = sha256(data).hexdigest(), contents.records * in_shard
    files = [f"{first.name}-{k:05}-of-{shards:05}" for k in range(shards)]
    first.write_bytes(data)
    for file in files:
        os.link(first, first.with_name(file))
    first.unlink()
    return SplitContents(
        records=records * shards,
        subjects=contents.subjects * in_shard * shards,
        classes={word: count * in_shard * shards for word, count in contents.classes.items()},
        shards=tuple(ShardFile(file, records, len(data), digest) for file in files),
    )


def _repeat_ledger(
    source: Path, target: Path, manifest: Manifest, *, copies: int, in_shard: int
) -> None:
    rows = pq.read_table(source)
    places = _places(rows, manifest)
    with pq.ParquetWriter(target, rows.schema, compression="zstd") as writer:
        for first in range(0, copies, in_shard):
            some = range(first, first + in_shard)
            writer.write_table(pa.concat_tables(_copy(rows, k, places, in_shard) for k in some))


def _places(rows: pa.Table, manifest: Manifest) -> pa.Table:
    """Return the number of each row's example within its split, and the size of the split."""
    starts = {
        (name, k): sum(shard.records for shard in contents.shards[:k])
        for name, contents in manifest.splits.items()
        for k in range(len(contents.shards))
    }
    sizes = {name: contents.records for name, contents in manifest.splits.items()}
    columns = (rows[name].to_pylist() for name in ("split", "shard", "index"))
    places = [
        (None, 0) if split is None else (starts[split, shard] + index, sizes[split])
        for split, shard, index in zip(*columns, strict=True)
    ]
    numbers = [pa.array(column, pa.int32()) for column in zip(*places, strict=True)]
    return pa.table(numbers, ["number", "size"])


def _copy(rows: pa.Table, copy: int, places: pa.Table, in_shard: int) -> pa.Table:
    """Return the rows with names of their own, at their place in the repeated shards."""
    within, shard = (pa.scalar(n, pa.int32()) for n in (copy % in_shard, copy // in_shard))
    changed: dict[str, Any] = {
        "key": pc.binary_join_element_wise(f"{copy:05}", rows["key"], "/"),
        "subject": pc.binary_join_element_wise(f"{copy:05}", rows["subject"], "-"),
        "index": pc.add(places["number"], pc.multiply(places["size"], within)),
        "shard": pc.if_else(places["number"].is_valid(), shard, None),
    }
    for name, values in changed.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), values)
    return rows


def measure(out: Path, file: Path) -> Iterator[str]:
    """Write reports with and without photos, and open the first: a line each."""
    rows = Manifest.read(out).ledger.rows
    for photos in (False, True):
        start = time.perf_counter()
        made = fertools.report(out, file, photos=photos, quiet=True)
        took = time.perf_counter() - start
        packed = len(gzip.compress(file.read_bytes(), 1))
        kind = "with photos" if photos else "--no-photos"
        yield (
            f"{rows:>9,} rows  {kind}  {took:6.1f} s  {made.bytes / 1e6:5.2f} MB "
            f"({packed / 1e6:.2f} gzipped), {made.examples:,} examples on the wall"
        )
    if CHROMIUM.is_file():
        yield from _behaviour(file)


def _behaviour(file: Path) -> Iterator[str]:
    """Open a page, filter it, and scroll through its whole wall."""
    with opened(file) as page:
        ready = page.ready_seconds
        yield f"           first figure after {page.first_paint():.2f} s, wall after {ready:.2f} s"
        yield f"           filter by class {page.filter_seconds():.3f} s"
        page.scroll_the_wall()
        yield f"           heap after scrolling {page.heap_bytes() / 1e6:.0f} MB"


if __name__ == "__main__":
    main()

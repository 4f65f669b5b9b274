"""Put the members of all containers into the order of the build.

Members are ordered by container; then, in a zip, by offset, so that the zip is read forward; in a
tar, as it lists them; in a folder, by name. The order is the same on every file system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fertools.archive.members import SCHEMA, MembersBuilder, keys_of, with_unique_keys
from fertools.columns import BATCH_ROWS, Columns, Ints


@dataclass(frozen=True, slots=True)
class Span:
    """The range of rows of one zip, tar or folder; the path of a folder is b""."""

    container: str
    path: bytes
    start: int
    stop: int


def order_rows(loose: MembersBuilder, packed: MembersBuilder, containers: list[Span]) -> Columns:
    """Return all rows in the order of the build, with repeated keys numbered."""
    loose_columns = loose.columns()
    rows, folders = _order_loose(loose_columns)
    blocks = (rows[first : first + BATCH_ROWS] for first in range(0, len(rows), BATCH_ROWS))
    hashes = (loose.key_hashes()[rows], packed.key_hashes())
    columns = (Columns(map(loose_columns.take, blocks), SCHEMA), packed.columns())
    order = sorted([*folders, *containers], key=lambda span: (span.container, span.path))
    spans = [(span.start, span.stop, int(span.path != b"")) for span in order]
    ordered = Columns(
        (batch for start, stop, table in spans for batch in columns[table].slices(start, stop)),
        SCHEMA,
    )
    ordered_hashes = [hashes[table][start:stop] for start, stop, table in spans]
    return with_unique_keys(ordered, np.concatenate([np.zeros(0, np.int64), *ordered_hashes]))


def _order_loose(loose: Columns) -> tuple[Ints, list[Span]]:
    """Return the rows of loose files sorted by folder and name, and the span of each folder."""
    codes, folders = loose.codes("container")
    rank = np.argsort(np.array(sorted(range(len(folders)), key=folders.__getitem__), np.int64))
    rows = np.argsort(rank[codes], kind="stable")
    spans = []
    ends = np.cumsum(np.bincount(codes, minlength=len(folders))[np.argsort(rank)])
    for folder, start, stop in zip(sorted(folders), [0, *ends.tolist()], ends, strict=False):
        rows[start:stop] = _sort_by_name(loose, rows[start:stop])
        spans.append(Span(folder, b"", start, int(stop)))
    return rows, spans


def _sort_by_name(loose: Columns, rows: Ints) -> Ints:
    batch = loose.take(rows)
    keys, paths = keys_of(batch).to_pylist(), batch["path"].to_pylist()
    # A path is null if it equals the key.
    names = [(key, path or key.encode()) for key, path in zip(keys, paths, strict=True)]
    return rows[np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)]

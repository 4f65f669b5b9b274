"""List the downloads to repeat: zips, volumes and tars that are damaged, cut or missing.

Nothing is downloaded: fertools opens no connection. Where AI-Hub's list is given, the line for
`aihubshell` is printed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fertools.archive.scan import scan
from fertools.data import Drop, Member, Reason
from fertools.dataset.manifest import MANIFEST, WORK_DIR, Manifest
from fertools.errors import DatasetError, printable
from fertools.inspection.expected import missing_files, read_expected
from fertools.pipeline.build_dir import SEEN
from fertools.pipeline.instalments.partial import SeenReport, seen_report
from fertools.pipeline.instalments.seen import SeenStore

_DAMAGED: Final = str(Reason.DAMAGED_ARCHIVE)
_UNREADABLE: Final = str(Reason.UNREADABLE)

#: Details of unreadable members that another download may cure, as the reader words them.
_DAMAGE: Final = ("its CRC-32", "its packed bytes", "its size is not", "no such entry")

#: AI-Hub's number of the data set that this package is made for.
_DATASET_KEY: Final = 82

#: key, container, outcome and detail of a member
Row = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """One download to repeat: the file's name, AI-Hub's filekey or "", and the reason."""

    file: str
    filekey: str
    why: str


@dataclass(frozen=True, slots=True)
class Repair:
    """The downloads to repeat, and how many zips and tars were looked at.

    recorded   "" if they were read now, else where the result of an earlier reading is recorded
    """

    looked_at: int
    downloads: tuple[Download, ...]
    recorded: str = ""
    notes: ClassVar[tuple[str, ...]] = ()  # as of what `stats` returns else

    @property
    def filekeys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(found.filekey for found in self.downloads if found.filekey))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def csv(self) -> str:
        text = io.StringIO()
        rows = [(found.file, found.filekey, found.why) for found in self.downloads]
        csv.writer(text, lineterminator="\n").writerows([("file", "filekey", "why"), *rows])
        return text.getvalue()

    def text(self) -> str:
        if not self.downloads:
            could = f"could be read, {self.recorded} says" if self.recorded else "can be read"
            what = "zip or tar" if self.looked_at == 1 else "zips and tars"
            return f"{self.looked_at:,} {what} {could}: no download needs to be repeated"
        count = len(self.downloads)
        lines = [f"{count:,} download{'s' * (count > 1)} to repeat:"]
        for found in self.downloads:
            key = f" (filekey {found.filekey})" if found.filekey else ""
            lines.append(f"  {printable(found.file)}{key}: {printable(found.why)}")
        blocks = ["\n".join(lines)]
        if self.filekeys:
            keys = ",".join(self.filekeys)
            blocks.append(f"aihubshell -mode d -datasetkey {_DATASET_KEY} -filekey {keys}")
        else:
            blocks.append("--expect FILE, with AI-Hub's list of files, adds the keys to download")
        return "\n\n".join(blocks)


def find_repairs(path: Path, expect: Path | None) -> Repair:
    """List the downloads to repeat of an archive, or of the archive of a dataset.

    Of an archive only the directories of its zips are read. The ledger of a dataset also has the
    photos whose CRC was wrong when they were read.

    Raises SourceError, DatasetError, or OptionError for the list.
    """
    expected = read_expected(expect) if expect else ()
    recorded, found_rows = _rows(path)
    rows = list(found_rows)
    containers = {container for _, container, _, _ in rows}
    zips = {name for name in containers if name.lower().endswith((".zip", ".tar"))}
    damaged = {key: detail for key, _, outcome, detail in rows if outcome == _DAMAGED}
    why = {**_suspect_zips(rows, zips), **damaged}
    keys = {file.name: file.filekey for file in expected}
    found = [Download(key, keys.get(key.rpartition("/")[2], ""), why[key]) for key in sorted(why)]
    missing = missing_files(expected, containers | damaged.keys())
    found += [Download(file.name, file.filekey, "it is not there") for file in missing]
    return Repair(len(zips | damaged.keys()), tuple(found), recorded)


def _suspect_zips(rows: Iterable[Row], zips: set[str]) -> dict[str, str]:
    """Return the zips with members whose bytes are damaged, each with a line."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for _, container, outcome, detail in rows:
        if container in zips and outcome == _UNREADABLE and detail.startswith(_DAMAGE):
            counts[container] += 1
            first.setdefault(container, detail)
    return {
        container: f"{count:,} of its photos cannot be read ({first[container]})"
        for container, count in counts.items()
    }


def seen_files(out: Path, expect: Path | None) -> SeenReport:
    """Return what was seen of an archive in instalments, and what is missing of a list."""
    report = seen_report(out)
    expected = read_expected(expect) if expect else ()
    missing = missing_files(expected, [seen.name for seen in report.containers])
    return replace(report, missing=tuple(file.name for file in missing))


def _rows(path: Path) -> tuple[str, Iterator[Row]]:
    """Return where the rows are recorded, "" if they are read now, and the rows."""
    if (path / MANIFEST).is_file():
        return "the ledger", _ledger_rows(path)
    store = SeenStore(path / WORK_DIR / SEEN)
    if store.exists:
        seen, _ = store.read()
        return "the record of --partial", _member_rows(
            member for own in seen.values() for member in own.members
        )
    return "", _member_rows(scan(path, photos_needed=False).members)


def _member_rows(members: Iterable[Member]) -> Iterator[Row]:
    for member in members:
        outcome, detail = _fate(member.dropped)
        yield member.key, member.container, outcome, detail


def _fate(drop: Drop | None) -> tuple[str, str]:
    return (str(drop.reason), drop.detail) if drop else ("", "")


def _ledger_rows(out: Path) -> Iterator[Row]:
    ledger = Manifest.read(out).ledger_in(out)
    try:
        rows = pq.read_table(ledger, columns=["key", "container", "outcome", "detail"])
    except (OSError, pa.ArrowException) as fault:
        raise DatasetError(f"{ledger} cannot be read: fertools verify {out} tells more") from fault
    for batch in rows.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

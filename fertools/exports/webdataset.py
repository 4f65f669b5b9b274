"""Write tar files that the library webdataset reads.

    train-00000-of-00003.tar
        KEY.png  or KEY.jpg    the file as it is in the shard
        KEY.cls                the label as text, such as "3"
        KEY.json               every other feature, and the name of the class

The three files of an example follow each other, in the order of the shards. A tar made by other
tools differs from run to run by times and users; these are 0 here.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from fertools.dataset.example import Example
from fertools.dataset.manifest import Manifest
from fertools.exports.destination import Sums
from fertools.exports.names import file_stem, suffix
from fertools.exports.plan import Unit
from fertools.exports.table import provenance
from fertools.files import whole_file


def write(home: Path, unit: Unit, examples: Iterable[Example], manifest: Manifest) -> Sums:
    """Write the tar file of a unit below `home`."""
    name = f"{unit.name}.tar"
    with (
        whole_file(home / name) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for example in examples:
            for entry, data in _entries(example, manifest):
                info = tarfile.TarInfo(entry)  # mode 644, of nobody, at time 0
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return {name: file.sha256}


def _entries(example: Example, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    stem = file_stem(example.key)
    yield f"{stem}.{suffix(manifest.image.format)}", example.image
    yield f"{stem}.cls", str(example.label).encode()
    yield f"{stem}.json", json.dumps(provenance(example, manifest), ensure_ascii=False).encode()

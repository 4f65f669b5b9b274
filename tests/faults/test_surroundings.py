"""Whatever surrounds a build, from the locale to a closed terminal: the same bytes or one line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import fertools
from tests.fakes import BrightSpot, write_archive
from tests.faults.history import COMMAND, REPOSITORY, build, digests

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it is set up by a Linux shell"),
]

#: Plain ASCII, as in a container without locales; Python's own mending of that is put off.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("surroundings") / "src", people=6)


@pytest.fixture(scope="module")
def whole(source: Path) -> dict[str, str]:
    """What a build in plain surroundings gives."""
    build(source, source.parent / "fresh")
    return digests(source.parent / "fresh")


def in_shell(
    line: str, source: Path, out: Path, *, folder: Path = REPOSITORY, **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as `BUILD` in a shell's line, from a folder, in other surroundings."""
    words = ["build-dataset", source, out, "--size", 16, "--shard-size", "3KB", "--jobs", 2]
    command = shlex.join([sys.executable, "-c", COMMAND, *map(str, words)])
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        ["bash", "-c", line.replace("BUILD", command)],
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths} | more,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "others",
    [
        {"TZ": "Asia/Seoul", "PYTHONHASHSEED": "1"},
        {"TZ": "America/St_Johns", "PYTHONHASHSEED": "77", **ASCII},
        {"TMPDIR": "/nowhere", "JOBLIB_TEMP_FOLDER": "/nowhere"},
    ],
    ids=["Seoul", "ASCII", "no TMPDIR"],
)
def test_time_zone_locale_hash_seed_and_folder_change_no_byte(
    source: Path, whole: dict[str, str], tmp_path: Path, others: dict[str, str]
) -> None:
    (tmp_path / "here").symlink_to(source.parent)
    here = Path("here") / "src"
    done = in_shell("BUILD", here, Path("out"), folder=tmp_path, **others)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert digests(tmp_path / "out") == whole


@pytest.mark.parametrize(
    "line",
    [
        "ulimit -n 32; BUILD",
        "BUILD <&- >&-",
        "BUILD <&- >&- 2>&-",
        "unshare --map-root-user --mount sh -c "
        "'mount -t tmpfs -o ro,size=4k none /dev/shm && exec \"$@\"' sh BUILD",
    ],
    ids=["32 descriptors", "stdout closed", "all closed", "no /dev/shm"],
)
def test_few_descriptors_closed_streams_and_no_shared_memory_change_no_byte(
    source: Path, whole: dict[str, str], tmp_path: Path, line: str
) -> None:
    done = in_shell(line, source, tmp_path / "out")
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "out") == whole
    assert (b"no worker process can be started" in done.stdout + done.stderr) == ("shm" in line)


def test_a_reader_who_goes_away_costs_no_dataset_and_no_traceback(
    source: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    done = in_shell("set -o pipefail; BUILD | head -c 1", source, tmp_path / "out")
    assert done.returncode in (0, 141)  # 128 + SIGPIPE, as a tool that the signal ends
    assert b"Traceback" not in done.stderr
    assert digests(tmp_path / "out") == whole


def test_a_disk_that_is_really_full_is_one_line_and_the_build_goes_on_later(
    source: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    """The disk holds 100 kB, half of what the build writes; then it is made larger."""
    (tmp_path / "disk").mkdir()
    done = in_shell(
        "unshare --map-root-user --mount sh -c '"
        'mount -t tmpfs -o size=100k none disk && "$@"; echo ended $?; '
        "ls disk/out/metadata.json;"
        'mount -o remount,size=9m disk && "$@"; echo ended $?; cp -r disk/out out\' sh BUILD',
        source,
        Path("disk/out"),
        folder=tmp_path,
    )
    said = done.stdout.decode()
    if "ended" not in said or b"mount:" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert "the disk is full" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    first, second = said.split("ended 1\n")
    assert "metadata.json" not in first + second.split("ready")[0]
    # The worker that met no full disk was ended in the middle of a file; it was swept away.
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert digests(tmp_path / "out") == whole


def test_no_descriptor_leaks_over_a_build(source: Path, tmp_path: Path) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    counts = []
    for number in range(3):
        out = tmp_path / str(number)
        fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1)
        fertools.verify(out, source, quiet=True)
        counts.append(opened())
    assert counts[0] == counts[1] == counts[2]

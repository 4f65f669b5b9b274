"""Kills and flipped bytes in a build whose zips come one at a time and are deleted afterwards."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fertools
from fertools.errors import FertoolsError
from tests.faults.history import REPOSITORY, Slow, digests, survivors
from tests.faults.test_containers import LOOK, photos, volumes, write_tar, zip_of
from tests.faults.test_healing import flip, kinds

#: What comes one after the other: the file, and what fills it.
NAMES = ("[원천]EMOIMG_기쁨_TRAIN_01.zip", "download.tar", "photos.tar", "download.tar")


def put(source: Path, turn: int) -> None:
    """Leave nothing in SRC but one download: a zip, a tar of volumes, of photos, of others."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    add(source, turn)


def add(source: Path, turn: int) -> None:
    path, emotion = source / NAMES[turn], ("기쁨", "당황", "분노", "당황")[turn]
    people = range(6, 12) if turn == 3 else range(6 if turn == 1 else 12)
    if turn == 0:
        path.write_bytes(zip_of(photos(emotion, people)))
    elif turn == 2:
        named = photos(emotion, people)
        write_tar(path, {f"[원천]EMOIMG_분노_TRAIN_01/{name}": named[name] for name in named})
    else:
        name = f"x/[원천]EMOIMG_{emotion}_TRAIN_0{turn}.zip"
        write_tar(path, volumes(name, zip_of(photos(emotion, people))))


def put_all(source: Path) -> None:
    """Put everything there at once: both download.tar in one, as one download of both keys."""
    put(source, 0)
    add(source, 2)
    pieces: dict[str, bytes] = {}
    for turn, people in ((1, range(6)), (3, range(6, 12))):
        name = f"x/[원천]EMOIMG_당황_TRAIN_0{turn}.zip"
        pieces |= volumes(name, zip_of(photos("당황", people)))
    write_tar(source / "download.tar", pieces)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of one build of all."""
    folder = tmp_path_factory.mktemp("whole")
    put_all(folder / "src")
    fertools.build_dataset(folder / "src", folder / "out", **LOOK)
    return digests(folder / "out")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OUT that has seen everything, never written to."""
    folder = tmp_path_factory.mktemp("seen")
    for turn in range(len(NAMES)):
        put(folder / "src", turn)
        fertools.build_partial(folder / "src", folder / "out", **LOOK)
    return folder / "out"


def test_downloads_of_one_name_are_the_bytes_of_one_build(
    seen: Path, whole: dict[str, str], tmp_path: Path
) -> None:
    """Each download.tar replaces the one before."""
    out = Path(shutil.copytree(seen, tmp_path / "out"))
    (tmp_path / "src").mkdir()
    fertools.build_dataset(tmp_path / "src", out, **LOOK)
    assert digests(out) == whole
    verdict = fertools.verify(out, tmp_path / "src", quiet=True)
    assert verdict.ok, verdict.text()


@pytest.mark.parametrize("each", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_flipped_byte_is_healed_or_names_what_to_put_there(
    seen: Path, whole: dict[str, str], tmp_path: Path, each: int
) -> None:
    """Faces of a zip that is gone cannot be found again, so the zip is asked for by its name."""
    dice, asked = random.Random(5), 0
    places: dict[str, list[Path]] = {
        kind: paths for kind, paths in kinds(seen).items() if not kind.endswith(".seen")
    }
    places[".seen"] = sorted((seen / ".fertools" / "seen").iterdir())
    source, everything = tmp_path / "src", tmp_path / "all"
    put_all(everything)
    for paths in places.values():
        for n in range(each):
            whole_file = dice.choice(paths)
            out = Path(shutil.copytree(seen, tmp_path / "out"))
            spoilt = out / whole_file.relative_to(seen)
            last = spoilt.stat().st_size - 1
            flip(spoilt, (0, last)[n] if n < 2 else dice.randint(0, last), dice.randrange(8))
            source.mkdir(exist_ok=True)
            try:
                fertools.build_dataset(source, out, **LOOK)
            except FertoolsError as fault:
                asked += 1
                assert "there again" in str(fault)
                fertools.build_dataset(everything, out, **LOOK)
            assert digests(out) == whole, spoilt.name
            shutil.rmtree(out)
    assert asked


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    code = (
        "import fertools; from pathlib import Path; from tests.faults.history import Slow;"
        f"fertools.build_partial(Path({str(source)!r}), Path({str(out)!r}), detector=Slow(),"
        "size=16, jobs=2, quiet=True)"
    )
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)


def kill_once(source: Path, out: Path, pattern: str, later: float) -> bool:
    """Kill a build when a file has appeared in OUT, a little later; return whether it still ran."""
    began = time.time_ns()
    with start(source, out) as process:
        while process.poll() is None:
            fresh = [path for path in out.glob(pattern) if path.stat().st_ctime_ns >= began]
            if fresh:
                time.sleep(later)
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        killed = process.wait() == -signal.SIGKILL
    assert survivors(process.pid) == {}
    return killed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_kills_between_and_within_instalments_change_no_byte(
    whole: dict[str, str], tmp_path: Path
) -> None:
    source, out, dice = tmp_path / "src", tmp_path / "out", random.Random(7)
    look = LOOK | {"detector": Slow()}
    kills = 0
    for turn in range(len(NAMES)):
        put(source, turn)
        stages = (".fertools/seen/*.seen", ".fertools/plan.arrow", ".fertools/parts/*.part")
        for pattern in dice.sample(stages, 2):
            kills += kill_once(source, out, pattern, dice.uniform(0, 0.05))
        fertools.build_partial(source, out, **look)
    assert kills >= 4
    shutil.rmtree(source)
    source.mkdir()
    fertools.build_dataset(source, out, **look)
    assert digests(out) == whole

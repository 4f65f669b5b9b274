"""A real dask scheduler and workers as processes of their own, on 127.0.0.1 alone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fertools
from fertools.archive.identity import file_signatures, first_mismatch
from fertools.archive.scan import scan
from fertools.data import Face
from fertools.errors import DependencyError, FertoolsError, OptionError, SourceError
from fertools.workers import dask as pipeline_cluster
from fertools.workers.dask import (
    WorkerRequirements,
    _versions,
    connected_cluster,
    on_cluster,
    pause_gc,
)
from fertools.workers.tasks import run_tasks
from tests.archive.rawzip import Item, write_zip
from tests.fakes import BrightSpot, photo, photo_name, write_archive
from tests.faults.killers import Deadly
from tests.faults.test_callers import Notes, raises, raises_os_error

REPO = Path(__file__).resolve().parents[2]
LOOK: dict[str, Any] = {"size": 16, "quiet": True}


@dataclass(frozen=True)
class Slow(BrightSpot):
    """Takes its time, so that there is a middle in which things can happen."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        time.sleep(0.03)
        return super().detect(image)


@dataclass
class Cluster:
    """A scheduler and its workers; those of `start` come after it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    address: str = ""

    def start(self, workers: int, *more: str, path: Path | None = None) -> None:
        """Start workers, with another folder before all others that Python looks into."""
        for _ in range(workers):
            self._run("worker", self.address, "--nthreads", "1", *more, path=path)

    def begin(self, path: Path | None = None) -> None:
        told = self.folder / "scheduler.json"
        self._run("scheduler", "--port", "0", "--scheduler-file", str(told), path=path)
        while not told.exists():
            time.sleep(0.05)
        self.address = json.loads(told.read_text())["address"]

    def kill_a_worker(self) -> None:
        import distributed

        with pause_gc():
            started = distributed.Client(self.address, set_as_default=False)
        with started as client:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _run(self, what: str, *words: str, path: Path | None = None) -> None:
        places = [str(path or REPO), str(REPO), *filter(None, sys.path)]
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
        with (self.folder / f"{what}.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [*command, "--host", "127.0.0.1", "--no-dashboard"],
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )
            )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    (tmp_path / "dask").mkdir()
    started = Cluster(tmp_path / "dask")
    try:
        started.begin()
        yield started
    finally:
        started.end()


def other_version(folder: Path) -> Path:
    """Return a folder in which Python finds another version of a library."""
    other = folder / "other" / "simplejpeg-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: simplejpeg\nVersion: 0.0.1\n")
    return other.parent


def digests(out: Path) -> dict[str, str]:
    files = [path for path in out.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def after(parts: int, out: Path, deed: Any) -> threading.Thread:
    """Do something when so many parts are finished."""

    def wait() -> None:
        until = time.monotonic() + 60
        while len(list(out.rglob("*.part"))) < parts and time.monotonic() < until:
            time.sleep(0.02)
        deed()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_killed_worker_costs_a_part_and_the_bytes_are_those_of_one_process(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src", shots=4)
    fertools.build_dataset(source, tmp_path / "one", jobs=1, detector=Slow(), **LOOK)
    cluster.start(3)
    monkeypatch.chdir(tmp_path)  # relative paths are the main process's, not the workers'
    killed = after(5, tmp_path / "many", cluster.kill_a_worker)
    fertools.build_dataset("src", "many", dask=cluster.address, detector=Slow(), **LOOK)
    killed.join()
    assert digests(tmp_path / "many") == digests(tmp_path / "one")
    assert fertools.verify(tmp_path / "many", source).ok
    assert not list((tmp_path / "many").rglob(".*.tmp"))


@pytest.mark.slow
def test_one_worker_does_the_work_itself_and_poison_costs_itself_only(
    tmp_path: Path, cluster: Cluster
) -> None:
    source = write_archive(tmp_path / "src", shots=4)
    home = next(path for path in source.rglob("*TRAIN_01") if "기쁨" in path.name)
    names = {photo_name(shot, "기쁨", 30 + shot): side for shot, side in enumerate((32, 34))}
    for name, side in names.items():
        (home / name).write_bytes(photo((20, 16, side)))
    cluster.start(1)
    fertools.build_dataset(
        source,
        tmp_path / "out",
        dask=cluster.address,
        detector=Deadly(),
        photo_seconds=1,
        **LOOK,
    )
    rows = pq.read_table(tmp_path / "out" / "ledger.parquet").to_pylist()
    fates = {row["key"].rpartition("/")[2]: row["outcome"] for row in rows}
    assert [fates[name] for name in names] == ["crashed", "timed_out"]
    assert list(fates.values()).count("kept") == 120


@pytest.mark.slow
def test_nodes_that_differ_are_refused_before_any_work(tmp_path: Path, cluster: Cluster) -> None:
    source = write_archive(tmp_path / "src", people=3)
    none = tmp_path / "none" / "fertools"
    none.mkdir(parents=True)
    (none / "__init__.py").write_text("raise ImportError('no fertools here')\n")
    for more, path, line in (
        (
            (),
            other_version(tmp_path),
            r"worker at tcp://127.* has simplejpeg 0\.0\.1 where the main",
        ),
        ((), none.parent, r"worker at tcp://127.* cannot run fertools .*no fertools here"),
        (("--nthreads", "2"), None, r"worker at tcp://127.* runs 2 threads: .*--nthreads 1"),
    ):
        cluster.start(1, *more, path=path)
        with pytest.raises(OptionError, match=line):
            fertools.build_dataset(
                source, tmp_path / "out", dask=cluster.address, detector=BrightSpot(), **LOOK
            )
        cluster.processes[-1].terminate()
        cluster.processes.pop().wait()
    assert not list((tmp_path / "out").rglob("*.part"))
    assert {path.name for path in (tmp_path / "out" / ".fertools").iterdir()} == {
        "lock",
        "parts",
        "shards",
    }


@pytest.mark.slow
def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path, cluster: Cluster) -> None:
    source, out = tmp_path / "src" / "기쁨", tmp_path / "out"
    source.mkdir(parents=True)
    for i in range(600):
        (source / photo_name(i % 9, "기쁨", i)).write_bytes(photo())
    cluster.start(2)
    command = [sys.executable, "-m", "fertools", "build-dataset", "src", "out"]
    with subprocess.Popen(
        [*command, "--dask", cluster.address], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        after(2, out, lambda: process.send_signal(signal.SIGINT)).join()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "fertools: stopped; a build goes on where it was by the same command"
    time.sleep(1)  # the parts that workers were at are finished; nobody starts another
    done = {path: path.stat().st_mtime_ns for path in out.rglob("*.part")}
    assert 2 <= len(done) < 60
    time.sleep(1)
    assert len(list(out.rglob("*.part"))) == len(done)


@pytest.mark.slow
def test_a_lost_scheduler_is_one_line(tmp_path: Path, cluster: Cluster) -> None:
    source = write_archive(tmp_path / "src", shots=4)
    cluster.start(2)
    lost = after(3, tmp_path / "out", cluster.processes[0].kill)
    with pytest.raises(FertoolsError, match=r"the scheduler at tcp://127.* is gone"):
        fertools.build_dataset(
            source, tmp_path / "out", dask=cluster.address, detector=Slow(), **LOOK
        )
    lost.join()


def test_requirements_name_what_a_worker_lacks(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=1)
    with_zip = source / "2.Validation" / "EMOIMG_기쁨.zip"
    with_zip.parent.mkdir()
    with_zip.write_bytes(write_zip(Item(b"1.jpg", photo(seed=1))))
    strange = source / "\x1b[2J.zip"
    strange.write_bytes(with_zip.read_bytes())
    probe_file = tmp_path / "home" / "mark"
    probe_file.parent.mkdir()
    probe_file.write_text(json.dumps(file_signatures(source, scan(source).members)))

    def mismatch(**change: Any) -> str:
        same = {
            "versions": _versions(),
            "source": source,
            "probe_file": probe_file,
            "find_difference": first_mismatch,
        }
        return WorkerRequirements(**{**same, **change}).mismatch() or "none"

    assert mismatch() == "none"
    assert "has numpy" in mismatch(versions=(("numpy", "1.0"),))
    assert "has lens not" in mismatch(versions=(("lens", "1.0"),))
    assert f"does not see {tmp_path / 'src2'}" in mismatch(source=tmp_path / "src2")
    assert f"does not see {tmp_path / 'home'}" in mismatch(probe_file=tmp_path / "home" / "gone")
    assert list(probe_file.parent.iterdir()) == [probe_file]
    for path in source.rglob("*"):
        os.utime(path, ns=(1, 1))
    assert mismatch() == "none"  # V2: a copy has other times
    with_zip.write_bytes(write_zip(Item(b"1.jpg", photo(seed=2))))
    assert f"does not see {with_zip} as" in mismatch()
    with_zip.write_bytes(write_zip(Item(b"1.jpg", photo(seed=1))))
    strange.unlink()
    assert f"does not see {source}/\\x1b[2J.zip as" in mismatch()
    strange.write_bytes(with_zip.read_bytes())
    loose = sorted(source.rglob("*.jpg"))[2]
    loose.write_bytes(loose.read_bytes() + b"more")
    assert f"does not see {loose} as" in mismatch()


@pytest.mark.slow
def test_what_a_task_raises_on_a_node_ends_the_run_at_once(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.start(1)
    others: list[Callable[[], None]] = [Notes(tmp_path, i) for i in range(100, 140)]
    with on_cluster(cluster.address, cluster.folder / "nothing", tmp_path, dict, first_mismatch):
        with pytest.raises(SourceError, match=r"^사진.zip cannot be read now: the same command"):
            list(run_tasks([*others[:2], raises, *others[2:]], 1))
        time.sleep(0.5)  # the task that the worker is at
        done = sorted(tmp_path.glob("1??"))
        assert len(done) < 20
        time.sleep(0.5)
        assert sorted(tmp_path.glob("1??")) == done
        with pytest.raises(OSError, match="Stale file handle") as caught:
            list(run_tasks([raises_os_error], 1))
        assert (caught.value.errno, caught.value.filename) == (116, "사진.zip")
        assert len(list(run_tasks(others, 1))) == 40


@pytest.mark.slow
def test_a_worker_that_comes_later_is_checked_before_its_first_task(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.start(1)
    with on_cluster(cluster.address, cluster.folder / "nothing", tmp_path, dict, first_mismatch):
        cluster.start(1, path=other_version(tmp_path))
        now = connected_cluster.get()
        assert now is not None
        now.client.wait_for_workers(2)
        with pytest.raises(FertoolsError, match=r"a worker on .* has simplejpeg 0\.0\.1 where"):
            list(run_tasks([Notes(tmp_path, i) for i in range(40)], 1))


@pytest.mark.slow
def test_a_scheduler_without_fertools_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "none" / "fertools").mkdir(parents=True)
    (tmp_path / "none" / "fertools" / "__init__.py").write_text("raise ImportError('not here')\n")
    started = Cluster(tmp_path)
    try:
        started.begin(path=tmp_path / "none")
        started.start(1)
        with (
            pytest.raises(OptionError, match=r"scheduler cannot import fertools \(.*not here"),
            on_cluster(started.address, tmp_path, tmp_path, dict, first_mismatch),
        ):
            raise AssertionError
    finally:
        started.end()


def test_without_dask_the_option_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(DependencyError, match=r"pip install 'fertools\[dask\]'"),
        on_cluster("tcp://127.0.0.1:1", tmp_path, tmp_path, dict, first_mismatch),
    ):
        raise AssertionError
    assert not list(tmp_path.iterdir())


def test_an_address_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(pipeline_cluster, "_ANSWER_SECONDS", 0.5)
    for address in ("127.0.0.1", "nonsense://x", "tcp://127.0.0.1:1"):
        with (
            pytest.raises(OptionError, match="no scheduler answers"),
            on_cluster(address, tmp_path, tmp_path, dict, first_mismatch),
        ):
            raise AssertionError


def test_an_address_put_right_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """The client of the wrong one is collected at the worst moment: while the next one starts."""
    pytest.importorskip("distributed")
    code = """
import gc, pathlib, distributed.utils as utils
from fertools.errors import OptionError
from fertools.workers import dask as cluster
cluster._ANSWER_SECONDS = 0.3
def refused(address):
    try:
        with cluster.on_cluster(address, pathlib.Path(), pathlib.Path(), dict, dict.get):
            pass
    except OptionError as error:
        print(str(error).split(":")[0])
plain = utils._CollectErrorThread.__init__
def amid_collection(self, *arguments, **options):
    if gc.isenabled():
        gc.collect()
    plain(self, *arguments, **options)
gc.set_threshold(0)
refused("nonsense://x")
utils._CollectErrorThread.__init__ = amid_collection
refused("tcp://127.0.0.1:1")
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.split() == ["--dask", "nonsense", "--dask", "tcp"]


def test_workers_inside_the_main_process_are_refused(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with pause_gc():
        local = distributed.Client(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            set_as_default=False,
        )
    with (
        local as client,
        pytest.raises(OptionError, match="processes of their own"),
        on_cluster(client.scheduler.address, tmp_path, tmp_path, dict, first_mismatch),
    ):
        raise AssertionError


def test_a_number_of_jobs_contradicts_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--jobs contradicts --dask"):
        fertools.build_dataset(tmp_path, tmp_path / "out", jobs=2, dask="tcp://127.0.0.1:1")


def test_nobody_loads_dask_who_does_not_ask_for_it(tmp_path: Path) -> None:
    write_archive(tmp_path / "src", people=3)
    code = (
        "import sys, fertools; from tests.fakes import BrightSpot;"
        "fertools.build_dataset('src', 'out', detector=BrightSpot(), size=16, jobs=1, quiet=True);"
        "sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), *sys.path])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)

"""Run tasks on a dask cluster, after its workers have been checked.

    on_cluster(tcp://…) ─▶ scheduler ─▶ each worker: same versions? same SRC and OUT? one thread?
                                            │ if one differs: an error that names it, no work
                                            ▼
                            run_tasks, inside the block, sends its tasks to the cluster

dask manages the workers: nothing here ends them, and dask's nannies replace those that die. A
worker that joins later is checked before its first task.
"""

from __future__ import annotations

import gc
import json
import logging
import platform
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import fertools
from fertools.environment import libraries
from fertools.errors import DependencyError, FertoolsError, OptionError, printable
from fertools.workers.worker import WorkersDied, mark_as_worker, run_task

T = TypeVar("T")

#: Seconds for the scheduler to answer, and for a first worker to join.
_TO_ANSWER: Final = 10
_TO_JOIN: Final = 60

#: Tasks per message to the scheduler.
_BATCH: Final = 1000

_SHARED: Final = "SRC and OUT must lie on storage that all nodes have under the same path"


@dataclass(frozen=True, slots=True)
class WorkerRequirements:
    """What a worker must have in common with the main process before it may run tasks.

    versions    of what determines the bytes of the output, and of distributed
    source      the input folder, absolute
    probe_file  a file in OUT with a random name: the JSON of what `difference` compares
    difference  returns the name of what differs in `source` as a worker sees it, or None; pickled
                by its name
    """

    versions: tuple[tuple[str, str], ...]
    source: Path
    probe_file: Path
    difference: Callable[[Path, Any], str | None]

    def mismatch(self) -> str | None:
        """Return why this process must not run tasks, or None if it may."""
        here = dict(_versions())
        for name, wanted in self.versions:
            if here.get(name) != wanted:
                return (
                    f"has {name} {here.get(name, 'not')} where the main process has {wanted}: "
                    "install the same versions on every node"
                )
        try:
            expected = json.loads(self.probe_file.read_bytes())
        except (OSError, ValueError):
            return f"does not see {self.probe_file.parent} as the main process does: {_SHARED}"
        if (other := self.difference(self.source, expected)) is not None:
            name = printable(f"{self.source}/{other}")
            return f"does not see {name} as the main process does: {_SHARED}"
        try:
            own = self.probe_file.with_name(f".{secrets.token_hex(8)}.tmp")
            own.touch()
            own.unlink()
        except OSError as fault:
            return f"cannot write into {self.probe_file.parent}: {fault.strerror}"
        return None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A connected dask cluster whose workers run tasks."""

    client: Any
    address: str
    requirements: WorkerRequirements

    def run(self, tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Yield the number and the result of each task as it is finished.

        Raises what a task raises, WorkersDied if four workers have died of one task, and
        FertoolsError if the scheduler is lost.
        """
        import distributed

        sent = [_ClusterTask(self.requirements, number, task) for number, task in tasks.items()]
        futures = self.client.map(_run_sent, sent, key="fertools", pure=False, batch_size=_BATCH)
        try:
            for future in distributed.as_completed(futures, loop=self.client.loop):
                if future.cancelled():  # by a client that has lost its scheduler
                    raise self.lost()
                yield future.result()
        except distributed.KilledWorker as death:
            raise WorkersDied from death
        finally:
            # The scheduler drops tasks that no worker has begun. Unlike `cancel`, this never waits.
            for future in futures:
                future.release()

    def lost(self) -> FertoolsError:
        return FertoolsError(
            f"the scheduler at {self.address} is gone: start it again; the same command goes on"
        )


@dataclass(frozen=True, slots=True)
class _ClusterTask(Generic[T]):
    """A task as it is sent: opaque to dask, which searches tuples, lists and dicts for futures."""

    requirements: WorkerRequirements
    number: int
    task: Callable[[], T]


def _run_sent(sent: _ClusterTask[T]) -> tuple[int, T]:
    """Run a task in dask's process; FertoolsError if that does not meet the requirements."""
    if why := _cached_mismatch(sent.requirements):
        raise FertoolsError(f"a worker on {platform.node()} {why}; the same command goes on")
    mark_as_worker()
    return sent.number, run_task(sent.task)


#: The cluster that tasks run on, or None if they run on this machine.
connected: ContextVar[Cluster | None] = ContextVar("connected", default=None)


@lru_cache(maxsize=4)
def _cached_mismatch(requirements: WorkerRequirements) -> str | None:
    """Check this process once, not before each task."""
    return requirements.mismatch()


@contextmanager
def on_cluster(
    address: str | None,
    source: Path,
    home: Path,
    facts: Callable[[], Mapping[str, str]],
    difference: Callable[[Path, Any], str | None],
) -> Iterator[None]:
    """Run tasks of the block on the cluster of the scheduler at `address`; None changes nothing.

    source      the input folder, absolute
    home        the folder of the run's own files, absolute
    facts       returns facts about the source that show whether a worker sees the same one
    difference  compares them on a worker: returns the name of the first that differs, or None

    Raises OptionError if no scheduler answers or a worker does not meet the requirements,
    DependencyError if dask is not installed, FertoolsError if the scheduler is lost.
    """
    if address is None:
        yield
        return
    probe_file = home / f".{secrets.token_hex(8)}.tmp"
    probe_file.write_text(json.dumps(dict(facts())))
    requirements = WorkerRequirements(_versions(), source, probe_file, difference)
    try:
        with _client(address) as client, _log_silenced():
            cluster = Cluster(client, address, requirements)
            _check_workers(cluster)
            yield from _used(cluster)
    finally:
        with suppress(OSError):
            probe_file.unlink(missing_ok=True)


def _used(cluster: Cluster) -> Iterator[None]:
    from distributed.comm import CommClosedError

    token = connected.set(cluster)
    try:
        yield
    except FertoolsError:
        raise
    except Exception as fault:
        # The client's status may remain "running" for some time after its connection broke.
        broken = isinstance(fault, CommClosedError)
        if not broken and cluster.client.status == "running":
            raise
        # A request to a lost scheduler can raise many exceptions; their texts do not help.
        raise cluster.lost() from fault
    finally:
        connected.reset(token)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as fault:
        raise DependencyError("--dask needs dask: pip install 'fertools[dask]'") from fault
    try:
        with _log_silenced(), gc_paused():
            client = distributed.Client(address, timeout=_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise OptionError(
            f"--dask {address}: no scheduler answers there: start one (dask scheduler), "
            "or give its address, such as tcp://host:8786"
        ) from fault
    try:
        yield client
    finally:
        with _log_silenced():  # it logs at length what was running when it was stopped
            client.close(timeout=2)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable the garbage collector while a dask client starts.

    A client with a wrong address leaves its loop running and closes it when it is collected. That
    waits for a lock. If the collection happens in the thread that holds the lock, because it is
    starting the next client, it waits forever.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_workers(cluster: Cluster) -> None:
    """Raise OptionError for the first worker, by address, that cannot run tasks."""
    import distributed

    client, address = cluster.client, cluster.address
    # A task, because an adaptive cluster starts no worker while there is nothing to do.
    try:
        client.submit(int, pure=False).result(timeout=_TO_JOIN)
    except (TimeoutError, distributed.TimeoutError) as fault:
        raise OptionError(
            f"--dask {address}: no worker joined within {_TO_JOIN} seconds: "
            f"start some (dask worker {address} --nthreads 1), and give the same command"
        ) from fault
    if address.startswith("inproc:"):
        # The signal that ends a hanging worker would end this process.
        raise OptionError(f"--dask {address}: its workers must be processes of their own")
    try:
        client.run_on_scheduler(libraries)
    except Exception as fault:  # whatever an import there may raise
        raise OptionError(
            f"--dask {address}: the scheduler cannot import fertools ({_one_line(fault)}): "
            "install it there"
        ) from fault
    threads = client.nthreads()
    answers = client.run(_cached_mismatch, cluster.requirements, on_error="return")
    for worker in sorted(threads):
        if threads[worker] != 1:
            # cv2.dnn does not support several threads, and an item's limits apply to its process.
            why = f"runs {threads[worker]} threads: start it with --nthreads 1, a worker a core"
        elif isinstance(why := answers.get(worker), Exception):
            why = f"cannot run fertools ({_one_line(why)}): install it there"
        if why:
            raise OptionError(f"--dask {address}: the worker at {worker} {why}")


def _one_line(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:120]


@contextmanager
def _log_silenced() -> Iterator[None]:
    """Keep dask's log off the terminal: fertools reports what matters of it."""
    logs = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith("distributed")
    ]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    here = libraries() | {
        # An object that was defined in a script is sent as bytecode.
        "python": "{}.{}".format(*sys.version_info),
        "fertools": fertools.__version__,
        "distributed": version("distributed"),
    }
    return tuple(here.items())

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
from fertools.environment import library_versions
from fertools.errors import DependencyError, FertoolsError, OptionError, printable
from fertools.workers.worker import WorkersDied, mark_as_worker, run_task

T = TypeVar("T")

#: Seconds to wait for the answer of the scheduler, and for the first worker to join.
_ANSWER_SECONDS: Final = 10
_JOIN_SECONDS: Final = 60

#: Tasks per message to the scheduler.
_BATCH_SIZE: Final = 1000

_ADVICE: Final = "SRC and OUT must lie on storage that all nodes have under the same path"


@dataclass(frozen=True, slots=True)
class WorkerRequirements:
    """What a worker must have in common with the main process before it may run tasks.

    versions         of the libraries that determine the output's bytes, and of distributed
    source           the input folder, absolute
    probe_file       a file in OUT with a random name; its JSON is the facts of `on_cluster`
    find_difference  as in `on_cluster`; pickled by its name
    """

    versions: tuple[tuple[str, str], ...]
    source: Path
    probe_file: Path
    find_difference: Callable[[Path, Any], str | None]

    def mismatch(self) -> str | None:
        """Return why this process must not run tasks, or None if it may."""
        own = dict(_versions())
        for name, expected in self.versions:
            if own.get(name) != expected:
                return (
                    f"has {name} {own.get(name, 'not')} where the main process has {expected}: "
                    "install the same versions on every node"
                )
        try:
            facts = json.loads(self.probe_file.read_bytes())
        except (OSError, ValueError):
            return f"does not see {self.probe_file.parent} as the main process does: {_ADVICE}"
        if (differing := self.find_difference(self.source, facts)) is not None:
            name = printable(f"{self.source}/{differing}")
            return f"does not see {name} as the main process does: {_ADVICE}"
        try:
            temporary = self.probe_file.with_name(f".{secrets.token_hex(8)}.tmp")
            temporary.touch()
            temporary.unlink()
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
        """Yield the number and the result of each task as it finishes.

        Raises the exception of a task, WorkersDied if four workers died while they ran one task,
        and FertoolsError if the scheduler is lost.
        """
        import distributed

        wrapped = [_ClusterTask(self.requirements, number, task) for number, task in tasks.items()]
        futures = self.client.map(
            _run_wrapped, wrapped, key="fertools", pure=False, batch_size=_BATCH_SIZE
        )
        try:
            for future in distributed.as_completed(futures, loop=self.client.loop):
                if future.cancelled():  # the client cancels it when it loses the scheduler
                    raise self.lost_error()
                yield future.result()
        except distributed.KilledWorker as death:
            raise WorkersDied from death
        finally:
            # The scheduler drops tasks that have not started. Unlike `cancel`, this never waits.
            for future in futures:
                future.release()

    def lost_error(self) -> FertoolsError:
        return FertoolsError(
            f"the scheduler at {self.address} is gone: start it again; the same command goes on"
        )


@dataclass(frozen=True, slots=True)
class _ClusterTask(Generic[T]):
    """A task in an object that dask does not search for futures, as it does in a tuple or list."""

    requirements: WorkerRequirements
    number: int
    task: Callable[[], T]


def _run_wrapped(wrapped: _ClusterTask[T]) -> tuple[int, T]:
    """Run a task in this worker; raise FertoolsError if it does not meet the requirements."""
    if why := _cached_mismatch(wrapped.requirements):
        raise FertoolsError(f"a worker on {platform.node()} {why}; the same command goes on")
    mark_as_worker()
    return wrapped.number, run_task(wrapped.task)


#: The cluster that tasks run on, or None if they run on this machine.
connected_cluster: ContextVar[Cluster | None] = ContextVar("connected", default=None)


@lru_cache(maxsize=4)
def _cached_mismatch(requirements: WorkerRequirements) -> str | None:
    """Return `mismatch`, checked once in a process, not before each task."""
    return requirements.mismatch()


@contextmanager
def on_cluster(
    address: str | None,
    source: Path,
    work_dir: Path,
    facts: Callable[[], Mapping[str, str]],
    find_difference: Callable[[Path, Any], str | None],
) -> Iterator[None]:
    """Run tasks of the block on the cluster of the scheduler at `address`, or locally if None.

    source           the input folder, absolute
    work_dir         the folder of the run's own files, absolute
    facts            returns facts by file name, read from the source on the main machine
    find_difference  called on a worker with the source and these facts: returns the name of the
                     first file that differs there, or None

    Raises OptionError if no scheduler answers or a worker does not meet the requirements,
    DependencyError if dask is not installed, FertoolsError if the scheduler is lost.
    """
    if address is None:
        yield
        return
    probe_file = work_dir / f".{secrets.token_hex(8)}.tmp"
    probe_file.write_text(json.dumps(dict(facts())))
    requirements = WorkerRequirements(_versions(), source, probe_file, find_difference)
    try:
        with _connect(address) as client, _silence_dask_log():
            cluster = Cluster(client, address, requirements)
            _check_workers(cluster)
            yield from _use_cluster(cluster)
    finally:
        with suppress(OSError):
            probe_file.unlink(missing_ok=True)


def _use_cluster(cluster: Cluster) -> Iterator[None]:
    from distributed.comm import CommClosedError

    token = connected_cluster.set(cluster)
    try:
        yield
    except FertoolsError:
        raise
    except Exception as fault:
        # The client's status may still be "running" although its connection is broken.
        broken = isinstance(fault, CommClosedError)
        if not broken and cluster.client.status == "running":
            raise
        # A request to a lost scheduler raises one of many exceptions, with texts that do not help.
        raise cluster.lost_error() from fault
    finally:
        connected_cluster.reset(token)


@contextmanager
def _connect(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as fault:
        raise DependencyError("--dask needs dask: pip install 'fertools[dask]'") from fault
    try:
        with _silence_dask_log(), pause_gc():
            client = distributed.Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise OptionError(
            f"--dask {address}: no scheduler answers there: start one (dask scheduler), "
            "or give its address, such as tcp://host:8786"
        ) from fault
    try:
        yield client
    finally:
        with _silence_dask_log():  # it writes long logs about tasks that were running
            client.close(timeout=2)


@contextmanager
def pause_gc() -> Iterator[None]:
    """Disable the garbage collector while a dask client starts.

    A client with a wrong address leaves its loop running, and the loop is closed when the client is
    garbage collected. Closing waits for a lock. A thread that starts the next client holds that
    lock: if the collection happens in this thread, it waits forever.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_workers(cluster: Cluster) -> None:
    """Raise OptionError if a worker cannot run tasks; it names the first one by address."""
    import distributed

    client, address = cluster.client, cluster.address
    # Submit a task: without tasks, an adaptive cluster starts no worker.
    try:
        client.submit(int, pure=False).result(timeout=_JOIN_SECONDS)
    except (TimeoutError, distributed.TimeoutError) as fault:
        raise OptionError(
            f"--dask {address}: no worker joined within {_JOIN_SECONDS} seconds: "
            f"start some (dask worker {address} --nthreads 1), and give the same command"
        ) from fault
    if address.startswith("inproc:"):
        # Such workers are threads: the signal that ends a hanging worker would end this process.
        raise OptionError(f"--dask {address}: its workers must be processes of their own")
    try:
        client.run_on_scheduler(library_versions)
    except Exception as fault:  # an import on the scheduler can raise any exception
        raise OptionError(
            f"--dask {address}: the scheduler cannot import fertools ({_one_line(fault)}): "
            "install it there"
        ) from fault
    threads = client.nthreads()
    mismatches = client.run(_cached_mismatch, cluster.requirements, on_error="return")
    for worker in sorted(threads):
        if threads[worker] != 1:
            # cv2.dnn does not support several threads, and resource limits apply to a process.
            why = f"runs {threads[worker]} threads: start it with --nthreads 1, a worker a core"
        elif isinstance(why := mismatches.get(worker), Exception):
            why = f"cannot run fertools ({_one_line(why)}): install it there"
        if why:
            raise OptionError(f"--dask {address}: the worker at {worker} {why}")


def _one_line(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:120]


@contextmanager
def _silence_dask_log() -> Iterator[None]:
    """Disable dask's log and warnings: fertools reports the errors itself."""
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith("distributed")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    own = library_versions() | {
        # Objects that were defined in a script are sent as bytecode, which depends on the version.
        "python": "{}.{}".format(*sys.version_info),
        "fertools": fertools.__version__,
        "distributed": version("distributed"),
    }
    return tuple(own.items())

"""Run the same tasks on a dask cluster, whose nodes are checked first.

    on_cluster(tcp://…) ─▶ scheduler ─▶ each worker: our versions? sees SRC and OUT? one thread?
                                            │ one does not: a line that names it, and no work
                                            ▼
                            run_tasks, inside the block, hands its tasks to the cluster

The workers belong to dask: nothing here ends them, and dask's nannies replace those that die. A
worker that comes later is checked before its first task.
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

#: Seconds in which a scheduler has to answer, and in which a first worker has to be there.
_TO_ANSWER: Final = 10
_TO_COME: Final = 60

#: Tasks that are sent to the scheduler in one message.
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class WorkerRequirements:
    """What a node must agree with before it may work, as the main process sees it.

    versions   of what decides about bytes, and of distributed, which carries the tasks
    source     the archive, absolute
    mark       a file in OUT that holds, as JSON, what `difference` compares, under a random name
    difference  returns the name of what a node sees differently in `source`, or None; travels by
               its name
    """

    versions: tuple[tuple[str, str], ...]
    source: Path
    mark: Path
    difference: Callable[[Path, Any], str | None]

    def mismatch(self) -> str | None:
        """Return why this process must not work for that build, or None if it may."""
        here = dict(_versions())
        for name, wanted in self.versions:
            if here.get(name) != wanted:
                return (
                    f"has {name} {here.get(name, 'not')} where the main process has {wanted}: "
                    "install the same versions on every node"
                )
        try:
            expected = json.loads(self.mark.read_bytes())
        except (OSError, ValueError):
            return f"does not see {self.mark.parent} as the main process does: {_SHARED}"
        if (other := self.difference(self.source, expected)) is not None:
            name = printable(f"{self.source}/{other}")
            return f"does not see {name} as the main process does: {_SHARED}"
        try:
            own = self.mark.with_name(f".{secrets.token_hex(8)}.tmp")
            own.touch()
            own.unlink()
        except OSError as fault:
            return f"cannot write into {self.mark.parent}: {fault.strerror}"
        return None


_SHARED: Final = "SRC and OUT must lie on storage that all nodes have under the same path"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster whose workers run the tasks of a build."""

    client: Any
    address: str
    terms: WorkerRequirements

    def run(self, tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Yield each task's number and result as it comes.

        Raises what a task raises, WorkersDied when four workers have died of one task, and
        FertoolsError when the scheduler is lost.
        """
        import distributed

        sent = [_NodeTask(self.terms, number, task) for number, task in tasks.items()]
        futures = self.client.map(_call, sent, key="fertools", pure=False, batch_size=_BATCH)
        try:
            for future in distributed.as_completed(futures, loop=self.client.loop):
                if future.cancelled():  # not by us: a client that loses its scheduler does so
                    raise self.lost()
                yield future.result()
        except distributed.KilledWorker as death:
            raise WorkersDied from death
        finally:
            # The scheduler drops what no worker has begun. Unlike `cancel`, this never waits.
            for future in futures:
                future.release()

    def lost(self) -> FertoolsError:
        """Return the error that says that the scheduler is lost."""
        return FertoolsError(
            f"the scheduler at {self.address} is gone: start it again; the same command goes on"
        )


@dataclass(frozen=True, slots=True)
class _NodeTask(Generic[T]):
    """A task as it travels: opaque to dask, which looks into tuples, lists and dicts."""

    terms: WorkerRequirements
    number: int
    task: Callable[[], T]


def _call(sent: _NodeTask[T]) -> tuple[int, T]:
    """Run a task in dask's process; raises FertoolsError if that must not work for the build."""
    if why := cached_mismatch(sent.terms):
        raise FertoolsError(f"a worker on {platform.node()} {why}; the same command goes on")
    mark_as_worker()
    return sent.number, run_task(sent.task)


_cluster: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def connected() -> Cluster | None:
    """Return the cluster that tasks run on, or None where it is this machine alone."""
    return _cluster.get()


@lru_cache(maxsize=4)
def cached_mismatch(terms: WorkerRequirements) -> str | None:
    """Check this process once, however many tasks it runs."""
    return terms.mismatch()


@contextmanager
def on_cluster(
    address: str | None,
    source: Path,
    home: Path,
    marks: Callable[[], Mapping[str, str]],
    difference: Callable[[Path, Any], str | None],
) -> Iterator[None]:
    """Have tasks run on the cluster of the scheduler at `address`; None changes nothing.

    source  the archive, absolute
    home    where the build keeps its own files, absolute
    marks   returns facts about the source, by which a node tells whether it sees the same one
    difference  compares them on a node: returns the name of the first that differs there, or None

    Raises OptionError where no cluster answers or one of its nodes cannot take part,
    DependencyError where dask is not installed, FertoolsError when the scheduler is lost.
    """
    if address is None:
        yield
        return
    mark = home / f".{secrets.token_hex(8)}.tmp"
    mark.write_text(json.dumps(dict(marks())))
    try:
        with _connected(address) as client, _quiet():
            cluster = Cluster(
                client, address, WorkerRequirements(_versions(), source, mark, difference)
            )
            _check_nodes(cluster)
            yield from _used(cluster)
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def _used(cluster: Cluster) -> Iterator[None]:
    from distributed.comm import CommClosedError

    token = _cluster.set(cluster)
    try:
        yield
    except FertoolsError:
        raise
    except Exception as fault:
        # The client may take itself for connected for some time after its connection broke.
        broken = isinstance(fault, CommClosedError)
        if not broken and cluster.client.status == "running":
            raise
        # What a request to a lost scheduler ends with is many things, none of which tells much.
        raise cluster.lost() from fault
    finally:
        _cluster.reset(token)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as fault:
        raise DependencyError("--dask needs dask: pip install 'fertools[dask]'") from fault
    try:
        with _quiet(), gc_paused():
            client = distributed.Client(address, timeout=_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError) as fault:
        raise OptionError(
            f"--dask {address}: no scheduler answers there: start one (dask scheduler), "
            "or give its address, such as tcp://host:8786"
        ) from fault
    try:
        yield client
    finally:
        with _quiet():  # what was under way when it was stopped, it tells at length
            client.close(timeout=2)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep Python from collecting garbage while a dask client starts.

    A client that was given no address leaves its loop running, and closes it when it is collected.
    That waits for a lock, and waits for ever if it is the thread that holds it: one that is just
    starting the next client, with the address put right.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check_nodes(cluster: Cluster) -> None:
    """Raise OptionError for the first node, by address, that cannot take part."""
    import distributed

    client, address = cluster.client, cluster.address
    # A task, because a cluster that adapts starts nobody while there is nothing to do.
    try:
        client.submit(int, pure=False).result(timeout=_TO_COME)
    except (TimeoutError, distributed.TimeoutError) as fault:
        raise OptionError(
            f"--dask {address}: no worker came within {_TO_COME} seconds: "
            f"start some (dask worker {address} --nthreads 1), and give the same command"
        ) from fault
    if address.startswith("inproc:"):
        # The signal that ends a worker that hangs would end the build.
        raise OptionError(f"--dask {address}: its workers must be processes of their own")
    try:
        client.run_on_scheduler(libraries)
    except Exception as fault:  # whatever an import there may raise
        raise OptionError(
            f"--dask {address}: the scheduler cannot import fertools ({_words(fault)}): "
            "install it there"
        ) from fault
    threads = client.nthreads()
    answers = client.run(cached_mismatch, cluster.terms, on_error="return")
    for node in sorted(threads):
        if threads[node] != 1:
            # cv2.dnn is not made for several threads, and a photo's limits are its process's.
            why = f"runs {threads[node]} threads: start it with --nthreads 1, a worker a core"
        elif isinstance(why := answers.get(node), Exception):
            why = f"cannot run fertools ({_words(why)}): install it there"
        if why:
            raise OptionError(f"--dask {address}: the worker at {node} {why}")


def _words(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:120]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep dask's log off the terminal: what matters of it is told in our own lines."""
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
        # A detector that was defined in a script travels as bytecode.
        "python": "{}.{}".format(*sys.version_info),
        "fertools": fertools.__version__,
        "distributed": version("distributed"),
    }
    return tuple(here.items())

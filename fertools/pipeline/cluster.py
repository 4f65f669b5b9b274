"""Beyond one machine: the same tasks on a dask cluster, whose nodes are looked at first.

    on_cluster(tcp://…) ─▶ scheduler ─▶ each worker: our versions? sees SRC and OUT? one thread?
                                            │ one does not: a line that names it, and no work
                                            ▼
                            joblib.parallel_config(backend="dask") for what runs inside

Dask's workers stay dask's: nobody here ends them, and its nannies replace those that die. One
that comes later answers the same questions before its first task.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import joblib
from joblib.parallel import get_active_backend

from fertools.errors import DependencyError, FertoolsError, OptionError
from fertools.pipeline.identity import libraries

#: Seconds in which a scheduler has to answer, and in which a first worker has to be there.
_TO_ANSWER: Final = 10
_TO_COME: Final = 60


@dataclass(frozen=True, slots=True)
class Terms:
    """What a node must agree with before it may work, as the main process sees it.

    versions   of what decides about bytes, and of joblib, which carries the tasks
    source     the archive, absolute
    listing    what lies there, as `_listing` gives it
    mark       a file in OUT that exists while the build runs, under a name nobody guesses
    """

    versions: tuple[tuple[str, str], ...]
    source: Path
    listing: str
    mark: Path

    def objection(self) -> str | None:
        """Say why this process must not work for that build, or None if it may."""
        here = dict(_versions())
        for name, version in self.versions:
            if here.get(name) != version:
                return (
                    f"has {name} {here.get(name, 'not')} where the main process has {version}: "
                    "install the same versions on every node"
                )
        if _listing(self.source) != self.listing:
            return f"does not see {self.source} as the main process does: {_SHARED}"
        if not self.mark.is_file():
            return f"does not see {self.mark.parent} as the main process does: {_SHARED}"
        try:
            own = self.mark.with_name(f".{secrets.token_hex(8)}.tmp")
            own.touch()
            own.unlink()
        except OSError as fault:
            return f"cannot write into {self.mark.parent}: {fault.strerror}"
        return None


_SHARED: Final = "SRC and OUT must lie on storage that all nodes have under the same path"

_terms: ContextVar[Terms | None] = ContextVar("terms", default=None)


def terms() -> Terms | None:
    """Give the terms of the cluster that tasks run on, or None where it is this machine alone."""
    return _terms.get()


@lru_cache(maxsize=4)
def objection(terms: Terms) -> str | None:
    """Ask this process once, however many tasks it does."""
    return terms.objection()


@contextmanager
def on_cluster(address: str | None, source: Path, home: Path) -> Iterator[None]:
    """Have joblib run tasks on the cluster of the scheduler at `address`; None changes nothing.

    source  the archive, absolute
    home    where the build keeps its own files, absolute

    Raises OptionError where no cluster answers or one of its nodes cannot take part,
    DependencyError where dask is not installed, FertoolsError when the scheduler is lost.
    """
    if address is None:
        yield
        return
    mark = home / f".{secrets.token_hex(8)}.tmp"
    mark.touch()
    try:
        with _connected(address) as client, _quiet():
            agreed = Terms(_versions(), source, _listing(source), mark)
            _refuse_strangers(client, address, agreed)
            with _joblib_on(client):
                yield from _watched(client, address, agreed)
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def _watched(client: Any, address: str, agreed: Terms) -> Iterator[None]:
    token = _terms.set(agreed)
    try:
        yield
    except FertoolsError:
        raise
    except Exception as fault:
        if client.status == "running":
            raise
        # What tasks of a lost scheduler end with is many things, and none tells a person much.
        raise FertoolsError(
            f"the scheduler at {address} is gone: start it again; the same command goes on"
        ) from fault
    finally:
        _terms.reset(token)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as fault:
        raise DependencyError("--dask needs dask: pip install 'fertools[dask]'") from fault
    try:
        with _quiet(), uncollected():
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
def uncollected() -> Iterator[None]:
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


@contextmanager
def _joblib_on(client: Any) -> Iterator[None]:
    with joblib.parallel_config(backend="dask", client=client):
        engine = get_active_backend()[0]
        # A cluster of one would make joblib do the work itself, in the main process.
        engine.effective_n_jobs = lambda n_jobs: max(2, n_jobs)
        _hear_of_failures(engine)
        yield


def _hear_of_failures(engine: Any) -> None:
    """Have joblib's engine for dask tell of a task that dask gave up, as its other engines do.

    joblib 1.6 leaves the exception (KilledWorker: four workers died of one task) in a future that
    nobody looks at, and waits for ever.
    """
    submit, retrieve = engine.submit, engine.retrieve_result_callback

    def submit_and_hear(task: Any, callback: Callable[[Any], None]) -> Any:
        heard = threading.Event()

        def hear(result: Any) -> None:
            if not heard.is_set():
                heard.set()
                callback(result)

        def hear_failure(done: Any) -> None:
            if done.exception() is not None:
                hear(done.exception())

        future = submit(task, hear)
        future.add_done_callback(hear_failure)
        return future

    def retrieve_or_raise(result: Any) -> Any:
        if isinstance(result, BaseException):
            raise result
        return retrieve(result)

    engine.submit, engine.retrieve_result_callback = submit_and_hear, retrieve_or_raise


def _refuse_strangers(client: Any, address: str, agreed: Terms) -> None:
    """Raise OptionError for the first node, by address, that cannot take part."""
    import distributed

    # A task, because a cluster that adapts starts nobody while there is nothing to do.
    try:
        client.submit(int, pure=False).result(timeout=_TO_COME)
    except (TimeoutError, distributed.TimeoutError) as fault:
        raise OptionError(
            f"--dask {address}: no worker came within {_TO_COME} seconds: "
            f"start some (dask worker {address} --nthreads 1), and give the same command"
        ) from fault
    if address.startswith("inproc:"):
        # What ends a worker that hangs would end the build.
        raise OptionError(f"--dask {address}: its workers must be processes of their own")
    threads = client.nthreads()
    answers = client.run(objection, agreed, on_error="return")
    for node in sorted(threads):
        if threads[node] != 1:
            # cv2.dnn is not made for several threads, and a photo's limits are its process's.
            why = f"runs {threads[node]} threads: start it with --nthreads 1, a worker a core"
        elif isinstance(why := answers.get(node), Exception):
            why = f"cannot run fertools ({' '.join(str(why).split())[:120]}): install it there"
        if why:
            raise OptionError(f"--dask {address}: the worker at {node} {why}")


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
    return (*libraries().items(), ("joblib", joblib.__version__))


def _listing(source: Path) -> str:
    """Name what lies in a folder, or how large a file is; nothing where nothing can be seen."""
    try:
        names = sorted(path.name for path in source.iterdir())
        return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()
    except NotADirectoryError:
        return f"{source.stat().st_size} bytes"
    except OSError:
        return ""

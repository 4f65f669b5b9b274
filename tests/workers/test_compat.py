"""What loky, multiprocessing and the interpreter do without documenting it, a test for each."""

from __future__ import annotations

import os
import threading
from multiprocessing import active_children

import loky
import pytest

from fertools.workers.compat import RecordingContext, join_feeder_threads, start_resource_trackers
from tests.faults.history import children

pytestmark = pytest.mark.slow


def test_trackers_are_processes_of_this_one_and_start_once() -> None:
    start_resource_trackers()
    before = {pid for pid, said in children(os.getpid()).items() if "resource_tracker" in said}
    assert len(before) >= 2
    start_resource_trackers()
    assert before <= children(os.getpid()).keys()


def test_a_context_records_the_processes_that_a_pool_starts() -> None:
    context = RecordingContext()
    executor = loky.ProcessPoolExecutor(2, context=context)
    try:
        found = {executor.submit(os.getpid).result() for _ in range(4)}
        assert found <= set(context.pids()) <= {process.pid for process in active_children()}
        assert len(context.pids()) == 2
    finally:
        executor.shutdown(wait=True, kill_workers=True)
    context.release_processes()
    assert context.pids() == []


def test_the_thread_that_feeds_a_queue_is_found_by_its_name() -> None:
    before = set(threading.enumerate())
    executor = loky.ProcessPoolExecutor(1)
    executor.submit(int).result()
    assert {thread.name for thread in set(threading.enumerate()) - before} == {
        "ExecutorManagerThread",
        "QueueFeederThread",
    }
    executor.shutdown(wait=True, kill_workers=True)
    join_feeder_threads(before)
    assert set(threading.enumerate()) <= before

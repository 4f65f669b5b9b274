"""Run tasks in worker processes or on a dask cluster. Nothing here depends on photos.

tasks     run tasks, and replace workers that die
pool      the worker processes of this machine, and the watchdog that kills stopped ones
dask      run the same tasks on a dask cluster
worker    initialise a worker process, run one task, limit the resources of an item
inflight  log which item a worker was processing when it died
compat    all undocumented details of loky and multiprocessing that are relied on
"""

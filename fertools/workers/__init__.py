"""Run tasks in worker processes or on a dask cluster. Nothing here knows about photos.

run       run tasks; replace workers that die
pool      the processes of this machine, and the watchdog that kills stopped ones
dask      the same tasks on a dask cluster
worker    what a process does to be a worker, and the limits of a task
inflight  which item a worker was processing when it died
compat    every undocumented detail of loky and multiprocessing that is relied on
"""

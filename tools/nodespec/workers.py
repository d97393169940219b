"""The same work for many items, in this process or in several.

A worker process starts empty: it is told once how to set itself up, from picklable values, and is then handed one chunk
after another. Results come back in the order of the items.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from nodespec.encoding import quoted
from nodespec.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.tree import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 200
"""Things handed to a worker at once: a tenth of a second of work."""


def each(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    *,
    jobs: int,
    progress: Progress | None,
    start: Callable[[], Callable[[Item], Result]],
) -> list[Result]:
    """Return ``work(item)`` for each item; with many items, in up to ``jobs`` processes.

    Each process calls ``start``, which must be picklable, and does what that returns instead of ``work``. Raises
    ``RegistryError`` when a process dies.
    """
    if jobs > 1 and len(items) > CHUNK:
        return _in_parallel(items, start, jobs, progress)
    results = []
    for done, item in enumerate(items):
        results.append(work(item))
        if progress is not None and done % CHUNK == 0:
            progress(done, len(items))
    return results


def _in_parallel(
    items: Sequence[Item], start: Callable[[], Callable[[Item], Result]], jobs: int, progress: Progress | None
) -> list[Result]:
    import multiprocessing
    import pickle
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # fork, where it is safe (no threads of ours), saves each worker the imports.
    method = "fork" if os.uname().sysname == "Linux" else "spawn"
    chunks = [items[begin : begin + CHUNK] for begin in range(0, len(items), CHUNK)]
    results: list[Result] = []
    try:
        with ProcessPoolExecutor(
            min(jobs, len(chunks)),
            multiprocessing.get_context(method),
            initializer=_begin,
            initargs=(pickle.dumps(start),),
        ) as pool:
            for part in pool.map(_do_chunk, chunks):
                results += part
                if progress is not None:
                    progress(len(results), len(items))
    except BrokenProcessPool:
        raise RegistryError("a worker process died", hint="try again with --jobs 1; is memory short?") from None
    return results


_work: Callable[[Any], Any] | None = None
"""A worker's own work, made when the worker starts."""


def _begin(start: bytes) -> None:
    import pickle
    import signal
    from multiprocessing import parent_process
    from multiprocessing.connection import wait
    from threading import Thread

    from nodespec.child_process import let_go

    def follow(parent: int) -> None:
        """End with the parent, however it ends."""
        wait([parent])
        os._exit(1)

    let_go()
    parent = parent_process()
    assert parent is not None, "a worker has one"
    Thread(target=follow, args=(parent.sentinel,), daemon=True).start()
    global _work  # noqa: PLW0603  # a worker process has no other place to keep what it starts with
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # These bytes were pickled by the parent a moment ago and never left this machine's memory. They are, so that open
    # handles of the parent (libgit2's) stay at home even where a process is forked.
    _work = pickle.loads(start)()


def _do_chunk(items: Sequence[Any]) -> list[Any]:
    assert _work is not None
    return [_work(item) for item in items]


def check_jobs(jobs: int) -> int:
    """Return the number of worker processes; 0 means one for each core that may be used."""
    if jobs < 0:
        raise UsageError(f"{quoted(jobs)} is not a number of jobs", hint="1 is one process, 0 one for each core")
    return jobs or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))

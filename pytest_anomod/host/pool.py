"""Works through many items in a few processes of our own, which end with the caller, whatever happens to it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def mapped(work: Callable[[Item], Made], items: Sequence[Item], jobs: int) -> Iterator[tuple[int, Made]]:
    """Number and result of each item, as they are done; here, in order, for one job.

    Each process gets a copy of `work` when it begins, and keeps it. What it raises is raised here, and nothing more is
    begun then.
    """
    if jobs <= 1:
        yield from enumerate(map(work, items))
        return
    # not forked: a library's threads may hold a lock at that moment, for ever in the child
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=jobs, mp_context=context, initializer=_begin, initargs=(work,)) as pool:
        futures = {pool.submit(_do, item): number for number, item in enumerate(items)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_works: list[Callable[[Any], Any]] = []


def _begin(work: Callable[[Any], Any]) -> None:
    """In the new process. Arrow's and BLAS's own threads would make two processes four and more."""
    _works.append(work)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _do(item: Any) -> Any:
    return _works[0](item)

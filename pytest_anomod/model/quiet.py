"""Work that can wait: done at low priority, so that a case in another worker keeps its steady baseline."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")

NICENESS = 10

_FRUGAL = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""For libraries that are loaded meanwhile: threads of OpenBLAS turn in circles for a tenth of a second when they begin,
and Arrow's own pool takes as long to get its memory as the tables of a case take to build."""


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Do not look for garbage meanwhile: rows hold no cycles, and each search goes through all that libraries made.

    Threads that are here at once may turn the search on for each other; none leaves it off.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _frugal_libraries() -> Iterator[None]:
    """Variables of the environment for libraries that are loaded meanwhile; what the user has set stays."""
    added = {name: value for name, value in _FRUGAL.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def quietly(work: Callable[[], Result]) -> Result:
    """Do the work in a thread of low priority and return its result, or raise what it raised.

    Reading tables, testing and drawing cost seconds of CPU, and parallel cases share the cores. On Linux niceness
    belongs to a thread, and a thread of our own can be given up afterwards: a raised niceness can't be lowered again.
    Elsewhere the work is done at usual priority.
    """
    if sys.platform != "linux":
        return work()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        with contextlib.suppress(OSError):
            lowest = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))  # it may be low already
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), lowest)
        try:
            with without_collections(), _frugal_libraries():
                results.append(work())
        except BaseException as error:  # whatever it is, it belongs to the caller
            errors.append(error)

    thread = threading.Thread(target=run, name="quietly")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

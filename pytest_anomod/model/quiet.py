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
            with without_collections():
                results.append(work())
        except BaseException as error:  # whatever it is, it belongs to the caller
            errors.append(error)

    thread = threading.Thread(target=run, name="quietly")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

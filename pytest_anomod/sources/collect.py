"""The base class of readers of sources, and the columns of each kind of record."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment

POLL_S = 0.1


class Reader(abc.ABC):
    """Reads all sources of one kind for one case.

    `dropped` counts records that could not be taken. `settle_s` is how long records may still come after their cause.
    `may_be_silent`: services need not send anything, so that no record at all is not an error. `noted` counts oddities
    of records, and reasons why some were dropped, by their text.
    """

    settle_s: float = 0.0
    may_be_silent: bool = False

    def __init__(self) -> None:
        self.dropped = 0
        self.noted: Counter[str] = Counter()

    def start(self) -> None:
        """Begin; CaptureError when a source can't be had."""
        return

    def edge(self, name: str) -> None:
        """A phase begins or ends now."""
        return

    def settled(self) -> bool:
        """Whether no more records are on their way, as far as is known: asked every POLL_S, for settle_s at most."""
        return True

    def stop(self) -> None:
        """End, and read what there is; idempotent. CaptureError when a source is gone or says what can't be read."""
        return

    @abc.abstractmethod
    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All records with start_ns <= time_unix_nano < end_ns, in time order, by the fields of their kind."""


Maker = Callable[[Deployment, Sequence[Any]], Reader]
"""Makes a reader of all sources of one kind."""


def settle(readers: Iterable[Reader], since_s: float) -> None:
    """Wait until all are settled, for each until its settle_s after a moment (monotonic seconds) at most."""
    waiting = list(readers)
    while True:
        waited_s = clock.monotonic_s() - since_s
        waiting = [reader for reader in waiting if waited_s < reader.settle_s and not reader.settled()]
        if not waiting:
            return
        clock.sleep(POLL_S)

"""Logs that services and stores write to files."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable, Sequence

from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import LogFile
from pytest_anomod.sources._files import FileReader
from pytest_anomod.sources._log_rows import log_rows
from pytest_anomod.sources._rows import Row
from pytest_anomod.sources._tail import Tail
from pytest_anomod.sources.read import LOG_FIELDS

LOOK_EVERY_S = 0.1
"""How exact the time of a line is that tells none itself."""


class LogFileReader(FileReader[LogFile]):
    """Log files of all services and stores.

    A text line without a time gets the time at which its file was first seen to be so large.
    """

    fields = LOG_FIELDS

    def __init__(self, deployment: Deployment, sources: Sequence[LogFile]) -> None:
        super().__init__(deployment, sources)
        self.may_be_silent = all(source.format == "text" for source in sources)
        self._growth = _Growth([tail for source, tail in self._tails if source.format == "text"])

    def start(self) -> None:
        """Remember where every file ends, and begin to look at sizes."""
        super().start()
        self._growth.start()

    def stop(self) -> None:
        """Parse all lines; idempotent."""
        self._growth.stop()
        super().stop()

    def rows_of(self, source: LogFile, tail: Tail) -> Iterable[Row | None]:
        """Rows of what was appended to a file; of text each line has the time at which it was first seen."""
        if source.format != "text":
            return super().rows_of(source, tail)
        placed = list(tail.placed_lines())
        observed = self._growth.times(tail, [end for end, _ in placed])
        return log_rows(source, [line for _, line in placed], self.watch, observed)

    def parse(self, source: LogFile, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a log file."""
        return log_rows(source, lines, self.watch)


class _Growth:
    """How large files were when, looked at every LOOK_EVERY_S by a thread; there is none without files."""

    def __init__(self, tails: Sequence[Tail]) -> None:
        self._seen: dict[Tail, tuple[list[int], list[int]]] = {tail: ([], []) for tail in tails}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        if self._seen:
            self._thread = threading.Thread(target=self._look_often, name="log sizes", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look once more, and end; idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            thread.join()
            self._look()

    def times(self, tail: Tail, ends: Sequence[int]) -> list[int]:
        """When a file was first seen to be as large as each of these."""
        sizes, times = self._seen[tail]
        return [times[min(bisect.bisect_left(sizes, end), len(times) - 1)] for end in ends] if times else []

    def _look_often(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        now_ns = clock.now_ns()
        for tail, (sizes, times) in self._seen.items():
            size = tail.size()
            if not sizes or size > sizes[-1]:
                sizes.append(size)
                times.append(now_ns)

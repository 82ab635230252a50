"""Shared by readers of files: they remember sizes at the start and parse at the end."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from pytest_anomod.model import fast_json
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.quiet import without_collections
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import LogFile, SpanFile
from pytest_anomod.sources._instances import InstanceWatch
from pytest_anomod.sources._rows import Row, to_columns
from pytest_anomod.sources._tail import Tail
from pytest_anomod.sources.collect import Reader

SETTLE_S = 1.0

File = TypeVar("File", LogFile, SpanFile)


class FileReader(Reader, abc.ABC, Generic[File]):
    """Reads what services append to their files during a case. `dropped` counts lines that are torn or unreadable."""

    fields: tuple[str, ...] = ()
    settle_s = SETTLE_S

    def __init__(self, deployment: Deployment, sources: Sequence[File]) -> None:
        super().__init__()
        self.watch = InstanceWatch(deployment)
        self._tails: list[tuple[File, Tail]] = [(source, Tail(source.path)) for source in sources]
        self._started = False
        self._size = -1
        self._rows: list[Row] | None = None

    @abc.abstractmethod
    def parse(self, source: File, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a file's lines; None for a line that can't be read."""

    def rows_of(self, source: File, tail: Tail) -> Iterable[Row | None]:
        """Rows of what was appended to a file."""
        return self.parse(source, tail.lines())

    def start(self) -> None:
        """Remember where every file ends."""
        for _, tail in self._tails:
            tail.start()
        self._started = True
        self.watch.look()

    def edge(self, name: str) -> None:
        """See whether files were rotated, and which instances run."""
        for _, tail in self._tails:
            tail.look()
        self.watch.look()

    def settled(self) -> bool:
        """Whether nothing was appended since the question before."""
        before, self._size = self._size, sum(tail.size() for _, tail in self._tails)
        return self._size == before

    def stop(self) -> None:
        """Parse all lines; idempotent."""
        if self._rows is not None or not self._started:
            return
        self.watch.look()
        with without_collections():
            self._rows = [row for source, tail in self._tails for row in self._read(source, tail)]

    def _read(self, source: File, tail: Tail) -> Iterator[Row]:
        try:
            for row in self.rows_of(source, tail):
                if row is None:
                    self.dropped += 1
                else:
                    yield row
        except OSError as error:
            msg = f"{os.fspath(tail.path)} of {source.service!r} can't be read: {error.strerror or error}"
            raise CaptureError(msg) from error
        self.dropped += tail.torn
        tail.close()

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All records of the stretch, in time order."""
        return to_columns(self._rows or (), self.fields, start_ns, end_ns)


def records(lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Number and value of each line of JSON; a torn one has None for a value, a blank one is left out."""
    return ((number, _value(line)) for number, line in enumerate(lines) if line.strip())


def _value(line: bytes) -> Any:
    try:
        return fast_json.loads(line)
    except ValueError:
        return None

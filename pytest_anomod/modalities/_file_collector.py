"""What the collectors of logs and traces share: they remember sizes at the start and parse at the end."""

from __future__ import annotations

import abc
import contextlib
import gc
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_anomod.modalities._instances import InstanceWatch
from pytest_anomod.modalities._rows import Row, to_columns
from pytest_anomod.modalities._tail import Tail, settle
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment, Instance

_AT_ONCE = 500


class FileCollector(abc.ABC):
    """Reads what services append to their files during a case. `dropped` counts lines that are torn or unreadable."""

    kind = "files"
    fields: tuple[str, ...] = ()

    def __init__(self, deployment: Deployment) -> None:
        self.dropped = 0
        self._deployment = deployment
        self._watch = InstanceWatch(deployment)
        self._tails: list[tuple[Instance, Tail]] = []
        self._rows: list[Row] | None = None

    @abc.abstractmethod
    def path_of(self, instance: Instance) -> Path | None:
        """The file of an instance that holds this modality, or None."""

    @abc.abstractmethod
    def parse(self, instance: Instance, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a file's lines; None for a line that can't be read."""

    def start(self) -> None:
        """Remember where every file ends; CaptureError when no service has such a file."""
        for instance in self._deployment.instances():
            path = self.path_of(instance)
            if path is not None:
                self._tails.append((instance, Tail(path)))
        if not self._tails:
            msg = (
                f"no service of {self._deployment.system!r} writes {self.kind}; the {self.kind} collector has no source"
            )
            raise CaptureError(msg)
        for _, tail in self._tails:
            tail.start()
        self._watch.look()

    def edge(self, name: str) -> None:
        """See whether files were rotated, and which instances run."""
        for _, tail in self._tails:
            tail.look()
        self._watch.look()

    def stop(self) -> None:
        """Wait for the last lines and parse all of them; idempotent."""
        if self._rows is not None or not self._tails:
            return
        settle(tail for _, tail in self._tails)
        self._watch.look()
        with _no_collections():
            self._rows = [row for instance, tail in self._tails for row in self._read(instance, tail)]

    def _read(self, instance: Instance, tail: Tail) -> Iterator[Row]:
        try:
            for row in self.parse(instance, tail.lines()):
                if row is None:
                    self.dropped += 1
                else:
                    yield row
        except OSError as error:
            msg = f"the {self.kind} collector can't read {os.fspath(tail.path)}: {error.strerror or error}"
            raise CaptureError(msg) from error
        self.dropped += tail.torn
        tail.close()

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All records of the stretch, in time order; stops the collector first if need be."""
        self.stop()
        if self._rows is None:
            msg = f"the {self.kind} collector was never started: it has nothing to give"
            raise CaptureError(msg)
        return to_columns(self._rows, self.fields, start_ns, end_ns)

    @staticmethod
    def records(lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
        """Number and value of each line of JSON; a torn one has None for a value, a blank one is left out.

        Many are parsed in one go, as the parser's own start costs as much as a line.
        """
        numbered = ((number, line) for number, line in enumerate(lines) if line.strip())
        while batch := list(itertools.islice(numbered, _AT_ONCE)):
            try:
                values = json.loads(b"[" + b",".join(line for _, line in batch) + b"]")
            except ValueError:
                values = ()
            if len(values) != len(batch):
                values = [_value(line) for _, line in batch]
            yield from zip((number for number, _ in batch), values, strict=True)

    def instance_id(self, record: dict[str, Any], service: str, time_unix_nano: int) -> str | None:
        """The instance a record names itself, else the one that was seen to run."""
        return record.get("service_instance_id") or self._watch.at(service, time_unix_nano)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Rows hold no cycles; looking for some, each time thousands are made, takes as long as parsing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None

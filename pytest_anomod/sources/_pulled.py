"""Backends that keep records by themselves, asked once, at the end of a case."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.sources import read
from pytest_anomod.sources._instances import InstanceWatch
from pytest_anomod.sources._rows import Row, to_columns
from pytest_anomod.sources.collect import Reader


class PulledReader(Reader):
    """Records of some backends, with the instance that was seen to run where a backend does not say it.

    `renamed` are services whose records get that in any case: SDKs of ours have another id in each of their processes.

    A backend does not say whether all records have arrived, so it is asked `settle_s` after the end.
    """

    renamed: frozenset[str] = frozenset()

    def __init__(self, deployment: Deployment, fields: Sequence[str], backends: Sequence[read.Reader]) -> None:
        super().__init__()
        self.settle_s = max(backend.settle_s for backend in backends)
        self._fields = tuple(fields)
        self._backends = tuple(backends)
        self._watch = InstanceWatch(deployment)

    def start(self) -> None:
        """See which instances run."""
        self._watch.look()

    def edge(self, name: str) -> None:
        """See which instances run."""
        self._watch.look()

    def settled(self) -> bool:
        """Never known."""
        return False

    def stop(self) -> None:
        """See which instances run; the backends go on."""
        self._watch.look()

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """Ask the backends for all records of the stretch; CaptureError when one does not answer."""
        rows: list[Row] = []
        for backend in self._backends:
            reading = backend.read(start_ns, end_ns)
            rows.extend(map(self._named, reading.rows))
            self.dropped += sum(reading.dropped.values())
            self.noted += reading.noted
            self.noted += {f"dropped: {why}": count for why, count in reading.dropped.items()}
        return to_columns(rows, self._fields, start_ns, end_ns)

    def _named(self, row: Row) -> Row:
        time_unix_nano, service, instance, *rest = row
        if instance is not None and service not in self.renamed:
            return row
        return (time_unix_nano, service, self._watch.at(service, time_unix_nano) or instance, *rest)

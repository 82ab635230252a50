"""Makes readers of backends: Zipkin, Jaeger, Prometheus, and our own OTLP receiver."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_anomod.model import source
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.sources import read
from pytest_anomod.sources._pulled import PulledReader
from pytest_anomod.sources.collect import Maker
from pytest_anomod.sources.health_spans import without_health
from pytest_anomod.sources.read import LOG_FIELDS, METRIC_FIELDS, TRACE_FIELDS, Reading

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

FIELDS = {"traces": TRACE_FIELDS, "logs": LOG_FIELDS, "metrics": METRIC_FIELDS}


def zipkin(deployment: Deployment, sources: Sequence[source.Zipkin]) -> PulledReader:
    """Spans of Zipkin servers."""
    from pytest_anomod.sources.zipkin import Zipkin

    return PulledReader(deployment, TRACE_FIELDS, [_Named(Zipkin(each.url), each.names) for each in sources])


def jaeger(deployment: Deployment, sources: Sequence[source.Jaeger]) -> PulledReader:
    """Spans of Jaeger servers."""
    from pytest_anomod.sources.jaeger import Jaeger

    return PulledReader(deployment, TRACE_FIELDS, [_Named(Jaeger(each.url), each.names) for each in sources])


def prometheus(deployment: Deployment, sources: Sequence[source.Prometheus]) -> PulledReader:
    """Samples of Prometheus servers: all series that have the label which names a service."""
    from pytest_anomod.sources.prometheus_api import PrometheusApi

    servers = [PrometheusApi(each.url, [f'{{{each.label}!=""}}'], service_labels=(each.label,)) for each in sources]
    return PulledReader(deployment, METRIC_FIELDS, servers)


def otlp(signal: str) -> Maker:
    """A maker of readers of one signal (traces, logs, metrics) of what services send to our receiver."""
    return lambda deployment, sources: InboxReader(deployment, signal, sources)


class InboxReader(PulledReader):
    """One signal of our receivers; services need not send anything."""

    may_be_silent = True

    def __init__(self, deployment: Deployment, signal: str, sources: Sequence[source.OtlpInbox]) -> None:
        self._signal = signal
        self.renamed = frozenset(service for each in sources for service in each.ours)
        probes = [probe for each in sources for probe in each.probes]
        self._receivers = [_receiver(each) for each in sources]
        super().__init__(
            deployment, FIELDS[signal], [_Signal(receiver, signal, probes) for receiver in self._receivers]
        )

    def start(self) -> None:
        """Forget what came before the case."""
        for receiver in self._receivers:
            receiver.clear(self._signal)
        super().start()


class _Named:
    """A reader of traces whose services may report under other names than they have here."""

    def __init__(self, reader: read.Reader, names: Sequence[tuple[str, str]]) -> None:
        self.settle_s = reader.settle_s
        self._reader = reader
        self._names = dict(names)

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """The reading, with the names that services have here."""
        found = self._reader.read(start_ns, end_ns)
        rows = [(row[0], self._names.get(row[1], row[1]), *row[2:]) for row in found.rows]
        return dataclasses.replace(found, rows=rows)


class _Signal:
    """One signal of a receiver, as a reader."""

    def __init__(self, receiver: OtlpReceiver, signal: str, probes: Sequence[tuple[str, str]]) -> None:
        self._probes = probes
        self.settle_s = receiver.settle_s
        self._receiver = receiver
        self._signal = signal

    def read(self, start_ns: int, end_ns: int) -> Reading:
        """What came of the stretch."""
        found = self._receiver.read(self._signal, start_ns, end_ns)
        return without_health(found, self._probes) if self._signal == "traces" else found


def _receiver(inbox: source.OtlpInbox) -> OtlpReceiver:
    from pytest_anomod.sources.otlp.receiver import receiver_in

    found = receiver_in(inbox.directory)
    if found is None:
        msg = f"no OTLP receiver of this process keeps what comes in {inbox.directory}; was the system brought up here?"
        raise CaptureError(msg)
    return found


TRACES: dict[type, Maker] = {
    source.OtlpInbox: otlp("traces"), source.Zipkin: zipkin, source.Jaeger: jaeger,
}  # fmt: skip
LOGS: dict[type, Maker] = {source.OtlpInbox: otlp("logs")}
METRICS: dict[type, Maker] = {source.OtlpInbox: otlp("metrics"), source.Prometheus: prometheus}
"""Makers by type of source, for each modality."""

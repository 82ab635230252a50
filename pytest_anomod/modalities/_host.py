"""Metrics of the machine itself: how busy it was, twice a second, as a service named `host`."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_anomod.host.pressure import Reading, meter
from pytest_anomod.modalities._rows import Row
from pytest_anomod.model.modality import HOST

GAUGES = (
    ("host_tasks_per_core", "1", "tasks_per_core"),
    ("host_cpu_stalled_ratio", "1", "cpu_stalled"),
    ("host_io_stalled_ratio", "1", "io_stalled"),
    ("host_memory_stalled_ratio", "1", "memory_stalled"),
    ("host_cpu_steal_ratio", "1", "stolen"),
    ("host_lag_seconds", "s", "lag_s"),
    ("host_memory_available_bytes", "By", "available_bytes"),
)
"""Name, unit, and the reading's field; what the kernel does not tell has no row."""


def host_rows(start_ns: int, end_ns: int | None = None) -> Iterator[Row]:
    """A row for each figure of each reading within a stretch of time."""
    for reading in meter().readings(start_ns, end_ns):
        yield from _rows(reading)


def _rows(reading: Reading) -> Iterator[Row]:
    for name, unit, field in GAUGES:
        value = getattr(reading, field)
        if value is not None:
            yield (reading.time_unix_nano, HOST, HOST, name, unit, "gauge", float(value), {})

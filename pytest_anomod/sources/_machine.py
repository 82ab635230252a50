"""Metrics of the machine itself: how busy it was, twice a second, as a service named `host`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_anomod.host.pressure import meter

GAUGES: Mapping[str, tuple[str, str]] = {
    "tasks_per_core": ("host_tasks_per_core", "1"),
    "cpu_stalled": ("host_cpu_stalled_ratio", "1"),
    "run_delay": ("host_run_delay_ratio", "1"),
    "io_stalled": ("host_io_stalled_ratio", "1"),
    "memory_stalled": ("host_memory_stalled_ratio", "1"),
    "stolen": ("host_cpu_steal_ratio", "1"),
    "lag_s": ("host_lag_seconds", "s"),
    "available_bytes": ("host_memory_available_bytes", "By"),
}
"""Field of a reading -> name and unit; what the kernel does not tell has no row."""


def begin() -> None:
    """Have the machine be looked at from now on."""
    meter()


def readings(start_ns: int, end_ns: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Time and values, by field, of each reading within a stretch of time."""
    for reading in meter().readings(start_ns, end_ns):
        values = {field: getattr(reading, field) for field in GAUGES}
        yield reading.time_unix_nano, {field: float(value) for field, value in values.items() if value is not None}

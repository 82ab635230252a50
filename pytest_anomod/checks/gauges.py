"""Series from a service's metrics: which are watched, how a counter becomes a figure, and what counts as a change."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.shifts import Bar, Series, Shift, Stretch, set_shift
from pytest_anomod.checks.tables import Rows, kept, table
from pytest_anomod.model.timeline import Window
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

MEBIBYTE = 1024.0 * 1024.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure to watch: the metric as it is, its growth a second, or its growth over another metric's growth."""

    figure: str
    metric: str
    unit: str
    bar: Bar
    growth: bool = False
    over: str = ""
    is_part: bool = False
    """The metric and `over` add up to the whole: hits over hits and misses."""


WATCHED = (
    Gauge(figure="cpu", metric="container_cpu_usage_seconds_total", unit="cores", growth=True,
          bar=Bar(ratio=1.5, delta=0.8, floor=0.05)),
    Gauge(figure="cpu", metric="process_cpu_seconds_total", unit="cores", growth=True,
          bar=Bar(ratio=1.5, delta=0.8, floor=0.05)),
    Gauge(figure="throttled", metric="container_cpu_cfs_throttled_seconds_total", unit="s/s", growth=True,
          bar=Bar(ratio=2.0, delta=0.8, floor=0.05)),
    Gauge(figure="memory", metric="container_memory_working_set_bytes", unit="bytes",
          bar=Bar(ratio=1.5, delta=0.9, floor=48 * MEBIBYTE)),
    Gauge(figure="bytes read", metric="container_fs_reads_bytes_total", unit="bytes/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.8, floor=MEBIBYTE)),
    Gauge(figure="bytes written", metric="container_fs_writes_bytes_total", unit="bytes/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.8, floor=MEBIBYTE)),
    Gauge(figure="up", metric="up", unit="", bar=Bar(ratio=1.2, delta=0.6, floor=0.2, direction=-1)),
    Gauge(figure="open files", metric="process_open_fds", unit="", bar=Bar(ratio=2.0, delta=0.9, floor=20)),
    Gauge(figure="requests in flight", metric="rpc_server_in_flight", unit="", bar=Bar(ratio=2.0, delta=0.8, floor=3)),
    Gauge(figure="cache hits", metric="redis_keyspace_hits_total", unit="of lookups", growth=True,
          over="redis_keyspace_misses_total", is_part=True, bar=Bar(ratio=1.3, delta=0.8, floor=0.15, direction=-1)),
    Gauge(figure="evicted keys", metric="redis_evicted_keys_total", unit="/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.8, floor=1)),
    Gauge(figure="error replies", metric="redis_error_replies_total", unit="/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.6, floor=0.5)),
    Gauge(figure="connected clients", metric="redis_connected_clients", unit="", bar=Bar(ratio=2, delta=0.9, floor=5)),
    Gauge(figure="keys", metric="redis_keys", unit="", bar=Bar(ratio=1.5, delta=0.9, floor=50, direction=-1)),
    Gauge(figure="connections", metric="pg_backends", unit="", bar=Bar(ratio=2.0, delta=0.9, floor=4)),
    Gauge(figure="rollbacks", metric="pg_xact_rollback_total", unit="/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.6, floor=0.5)),
    Gauge(figure="deadlocks", metric="pg_deadlocks_total", unit="/s", growth=True,
          bar=Bar(ratio=3.0, delta=0.6, floor=0.2)),
    Gauge(figure="time to write the log", metric="pg_wal_write_seconds_total", unit="s", growth=True,
          over="pg_wal_write_total", bar=Bar(ratio=2.0, delta=0.8, floor=0.001)),
)  # fmt: skip
"""What is compared; every other metric is recorded and not judged."""

SETTINGS = ("redis_maxmemory_bytes",)
"""Metrics that only change when somebody changes a setting."""


def gauge_series(cut: Cut, service: str) -> Iterator[Series]:
    """The watched metrics of a service, one sample a scrape; metrics that it does not have are left out."""
    for gauge in WATCHED:
        if (service, gauge.metric) not in scrapes(cut.view):
            continue
        before, after = _samples(cut, service, gauge, cut.before), _samples(cut, service, gauge, cut.after)
        if len(before.values) and len(after.values):
            yield Series(
                subject=service, figure=gauge.figure, kind="level", unit=gauge.unit, bar=gauge.bar,
                before=before, after=after,
            )  # fmt: skip


def setting_shifts(cut: Cut, service: str) -> Iterator[Shift]:
    """Settings that were constant in the first window and had another value in the second."""
    for name in SETTINGS:
        left = set(_scrapes(cut, service, name, cut.before)[1].tolist())
        right = set(_scrapes(cut, service, name, cut.after)[1].tolist())
        if len(left) == 1 and right:
            value = min(right - left or right)
            why_not = "" if right - left else "unchanged"
            yield set_shift(service, name, left.pop(), value, moved=not why_not, why_not=why_not)


def instance_shifts(cut: Cut, service: str) -> Iterator[Shift]:
    """Instances of the service first seen between the first window's end and the second's: each is a restart."""
    if "metrics" not in cut.view.frames:
        return
    seen = _first_seen(cut.view).get(service, [])
    known = any(first_ns < cut.before.end_ns for first_ns in seen)
    new = sum(cut.before.end_ns <= first_ns < cut.after.end_ns for first_ns in seen) if known else 0
    yield set_shift(service, "new instances", 0, new, moved=new > 0, why_not="" if new else "none was restarted")


def _samples(cut: Cut, service: str, gauge: Gauge, window: Window) -> Stretch:
    """One value per scrape in a window; growth is taken between neighbouring scrapes of the window."""
    import numpy as np

    times, values = _scrapes(cut, service, gauge.metric, window)
    if not gauge.growth:
        return Stretch(times_s=(times - window.start_ns) / 1e9, values=values, length_s=window.length_s)
    lengths, growth = np.diff(times) / 1e9, np.diff(values)
    if gauge.over:
        _, other = _scrapes(cut, service, gauge.over, window)
        if len(other) != len(values):
            return Stretch(times_s=np.empty(0), values=np.empty(0), length_s=window.length_s)
        lengths = np.diff(other) + (growth if gauge.is_part else 0.0)
    good = (growth >= 0) & (lengths > 0)  # a counter that fell was restarted; no events have no ratio
    return Stretch(
        times_s=(times[1:][good] - window.start_ns) / 1e9, values=growth[good] / lengths[good], length_s=window.length_s
    )


def _scrapes(cut: Cut, service: str, metric: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    times, values = scrapes(cut.view).get((service, metric), (np.empty(0), np.empty(0)))
    first, last = np.searchsorted(times, (window.start_ns, window.end_ns), side="left")
    return times[first:last], values[first:last]


def scrapes(view: CaseView) -> Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Times and values of each (service, metric) that is looked at, summed over its attributes at each scrape."""
    return kept(view, "scrapes", lambda: _read_scrapes(view))


def _read_scrapes(view: CaseView) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    import numpy as np

    wanted = {gauge.metric for gauge in WATCHED} | {gauge.over for gauge in WATCHED} | {*SETTINGS}
    rows = table(view, "metrics").all
    metrics, services = rows.table.labels("metric_name"), rows.table.labels("service_name")
    rows = rows.where(metrics.among(wanted) & (services.codes >= 0))
    keys = rows.codes("service_name") * len(metrics.names) + rows.codes("metric_name")
    rows, keys = Rows(rows.table, rows.at[(order := np.argsort(keys, kind="stable"))]), keys[order]
    times, values = rows["time_unix_nano"], np.nan_to_num(np.asarray(rows["value"], dtype=float))
    fresh = np.ones(len(keys), dtype=bool)
    fresh[1:] = (keys[1:] != keys[:-1]) | (times[1:] != times[:-1])
    starts = np.flatnonzero(fresh)
    sums = np.add.reduceat(values, starts) if len(starts) else values
    found, ends = np.unique(keys[starts], return_index=True)
    parts = zip(np.split(times[starts], ends[1:]), np.split(sums, ends[1:]), strict=True)
    names = [(services.names[key // len(metrics.names)], metrics.names[key % len(metrics.names)]) for key in found]
    return dict(zip(names, parts, strict=False))


def _first_seen(view: CaseView) -> Mapping[str, list[int]]:
    """When each instance of each service was seen first in the metrics."""
    return kept(view, "instances", lambda: _read_first_seen(view))


def _read_first_seen(view: CaseView) -> dict[str, list[int]]:
    import numpy as np

    rows = table(view, "metrics")
    services, instances = rows.labels("service_name"), rows.labels("service_instance_id")
    known = (instances.codes >= 0) & (instances.codes != instances.code("")) & (services.codes >= 0)
    keys = services.codes[known] * len(instances.names) + instances.codes[known]
    firsts = np.full(len(services.names) * len(instances.names), -1, dtype=np.int64)
    firsts[keys[::-1]] = rows.times[known][::-1]  # of several times written to one place the earliest comes last
    seen: dict[str, list[int]] = {}
    for key in np.flatnonzero(firsts >= 0).tolist():
        seen.setdefault(services.names[key // len(instances.names)], []).append(int(firsts[key]))
    return seen

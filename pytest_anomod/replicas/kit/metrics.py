"""The Prometheus metrics of one service process, in a registry of its own."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import prometheus_client
import psutil
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

prometheus_client.disable_created_metrics()


class _ProcessFigures:
    """CPU time, resident memory and open descriptors of this process, read when asked for."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        process = self._process
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
        yield CounterMetricFamily(
            "process_cpu_seconds", "User and system CPU time in seconds.", value=times.user + times.system
        )
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory in bytes.", value=memory.rss)
        yield GaugeMetricFamily("process_open_fds", "Open file descriptors.", value=process.num_fds())


class Metrics:
    """Counts and times calls in and out. With `enabled` false it counts nothing and its page is empty."""

    def __init__(self, in_flight: Callable[[], int], *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._registry = registry = CollectorRegistry()
        if not enabled:
            return
        registry.register(_ProcessFigures())
        self._server = _Family("rpc_server", "Calls answered.", ("method", "status"))
        self._client = _Family("rpc_client", "Calls made.", ("peer", "status"))
        self._http = _Family("http", "HTTP requests answered.", ("route", "status"), "request_duration")
        for family in (self._server, self._client, self._http):
            registry.register(family)
        gauge = Gauge("rpc_server_in_flight", "Requests being answered.", registry=registry)
        gauge.set_function(in_flight)

    def register(self, collector: Any) -> None:
        """Add a collector of a service's own: an object whose `collect()` yields metric families."""
        if self.enabled:
            self._registry.register(collector)

    def server_call(self, method: str, status: str, seconds: float) -> None:
        """Count a call answered; status ok, declared or undeclared."""
        if self.enabled:
            self._server.observe(method, status, seconds)

    def client_call(self, peer: str, status: str, seconds: float) -> None:
        """Count a call made; status ok, declared, undeclared or the kind of a transport error."""
        if self.enabled:
            self._client.observe(peer, status, seconds)

    def http_request(self, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request of a route."""
        if self.enabled:
            self._http.observe(route, str(status), seconds)

    def page(self) -> bytes:
        """The text a Prometheus server reads."""
        return generate_latest(self._registry) if self.enabled else b""


class _Family:
    """A counter by two labels and a histogram by the first, counted in plain lists and made into metrics when read.

    The library's own counters and histograms lock and search on every call: they were most of what capture cost.
    """

    def __init__(self, prefix: str, text: str, labels: tuple[str, str], duration: str = "duration") -> None:
        self._prefix = prefix
        self._text = text
        self._labels = labels
        self._duration = duration
        self._counts: dict[tuple[str, str], int] = {}
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, first: str, second: str, seconds: float) -> None:
        """Count one call that took so long."""
        key = (first, second)
        self._counts[key] = self._counts.get(key, 0) + 1
        times = self._times.get(first)
        if times is None:
            times = self._times[first] = [0] * (len(BUCKETS_S) + 1)
            self._sums[first] = 0.0
        times[bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[first] += seconds

    def collect(self) -> Iterator[Metric]:
        """The two metric families."""
        counter = CounterMetricFamily(f"{self._prefix}_requests", self._text, labels=self._labels)
        for key, count in self._counts.items():
            counter.add_metric(key, count)
        yield counter
        name = f"{self._prefix}_{self._duration}_seconds"
        histogram = HistogramMetricFamily(name, f"{self._text} Seconds.", labels=self._labels[:1])
        for first, times in self._times.items():
            bounds = [str(bound) for bound in BUCKETS_S] + ["+Inf"]
            histogram.add_metric((first,), list(zip(bounds, accumulate(times), strict=True)), self._sums[first])
        yield histogram

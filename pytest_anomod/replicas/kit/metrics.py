"""The Prometheus metrics of one service process, in a registry of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

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
        self._server = _Family("rpc_server", "Calls answered.", ("method", "status"), registry)
        self._client = _Family("rpc_client", "Calls made.", ("peer", "status"), registry)
        self._http = _Family("http", "HTTP requests answered.", ("route", "status"), registry, "request_duration")
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
    """A counter by two labels and a histogram by the first; children are kept, as finding them costs most."""

    def __init__(
        self,
        prefix: str,
        text: str,
        labels: tuple[str, str],
        registry: CollectorRegistry,
        duration: str = "duration",
    ) -> None:
        self._counter = Counter(f"{prefix}_requests_total", text, labels, registry=registry)
        self._histogram = Histogram(
            f"{prefix}_{duration}_seconds", f"{text} Seconds.", labels[:1], registry=registry, buckets=BUCKETS_S
        )
        self._counts: dict[tuple[str, str], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def observe(self, first: str, second: str, seconds: float) -> None:
        count = self._counts.get((first, second))
        if count is None:
            count = self._counts[first, second] = self._counter.labels(first, second)
        count.inc()
        times = self._times.get(first)
        if times is None:
            times = self._times[first] = self._histogram.labels(first)
        times.observe(seconds)

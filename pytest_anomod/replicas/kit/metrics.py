"""The Prometheus metrics of one service process, in a registry of its own."""

from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import prometheus_client
import psutil
from prometheus_client import CollectorRegistry, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS = (*map(str, BUCKETS_S), "+Inf")

prometheus_client.disable_created_metrics()


class _ProcessFigures:
    """CPU time, resident memory and open descriptors of this process, read when asked for."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def text(self) -> str:
        """The metric families in the text format of Prometheus."""
        process = self._process
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
        return (
            "# HELP process_cpu_seconds_total User and system CPU time in seconds.\n"
            "# TYPE process_cpu_seconds_total counter\n"
            f"process_cpu_seconds_total {times.user + times.system!r}\n"
            "# HELP process_resident_memory_bytes Resident memory in bytes.\n"
            "# TYPE process_resident_memory_bytes gauge\n"
            f"process_resident_memory_bytes {memory.rss}.0\n"
            "# HELP process_open_fds Open file descriptors.\n"
            "# TYPE process_open_fds gauge\n"
            f"process_open_fds {process.num_fds()}.0\n"
        )


class Metrics:
    """Counts and times calls in and out. With `enabled` false it counts nothing and its page is empty."""

    def __init__(self, in_flight: Callable[[], int], *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._registry = CollectorRegistry()
        if not enabled:
            return
        self._process = _ProcessFigures()
        self._in_flight = in_flight
        self._server = _Family("rpc_server", "Calls answered.", ("method", "status"))
        self._client = _Family("rpc_client", "Calls made.", ("peer", "status"))
        self._http = _Family("http", "HTTP requests answered.", ("route", "status"), "request_duration")

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
        if not self.enabled:
            return b""
        parts = [part.text() for part in (self._server, self._client, self._http, self._process)]
        parts.append("# HELP rpc_server_in_flight Requests being answered.\n# TYPE rpc_server_in_flight gauge\n")
        parts.append(f"rpc_server_in_flight {float(self._in_flight())}\n")
        return "".join(parts).encode() + generate_latest(self._registry)


class _Family:
    """A counter by two labels and a histogram by the first, counted in plain lists and written as text when read.

    The library's own counters and histograms lock and search on every call and take a millisecond to write: they were
    most of the cost of telemetry.
    """

    def __init__(self, prefix: str, text: str, labels: tuple[str, str], duration: str = "duration") -> None:
        self._labels = labels
        self._counter = f"{prefix}_requests_total"
        self._histogram = f"{prefix}_{duration}_seconds"
        self._heads = (
            f"# HELP {self._counter} {text}\n# TYPE {self._counter} counter\n",
            f"# HELP {self._histogram} {text} Seconds.\n# TYPE {self._histogram} histogram\n",
        )
        self._counts: dict[tuple[str, str], int] = {}
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._written: dict[str, tuple[int, str]] = {}  # of a histogram: calls it was last written with, and its text

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

    def text(self) -> str:
        """The two metric families in the text format of Prometheus, 0.0.4."""
        one, two = self._labels
        lines = [self._heads[0]]
        for (first, second), count in self._counts.items():
            lines.append(f'{self._counter}{{{one}="{_escaped(first)}",{two}="{_escaped(second)}"}} {count}.0\n')
        lines.append(self._heads[1])
        lines += [self._histogram_text(first, times) for first, times in self._times.items()]
        return "".join(lines)

    def _histogram_text(self, first: str, times: list[int]) -> str:
        """The lines of one histogram, made anew only when calls were added: most services rest most of the time."""
        calls, text = self._written.get(first, (0, ""))
        counts = list(accumulate(times))
        if calls != counts[-1]:
            label = f'{self._labels[0]}="{_escaped(first)}"'
            bucket = f"{self._histogram}_bucket{{{label},le="
            lines = [f'{bucket}"{bound}"}} {count}.0\n' for bound, count in zip(_BOUNDS, counts, strict=True)]
            lines.append(f"{self._histogram}_count{{{label}}} {counts[-1]}.0\n")
            lines.append(f"{self._histogram}_sum{{{label}}} {self._sums[first]!r}\n")
            text = "".join(lines)
            self._written[first] = (counts[-1], text)
        return text


def _escaped(value: str) -> str:
    """A label's value as the text format wants it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

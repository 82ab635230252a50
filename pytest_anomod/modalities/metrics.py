"""Metrics: once a second every service's own figures, what its processes use, and whether it answers at all."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.modalities import _host
from pytest_anomod.modalities._prometheus import PageReader, SeriesTable
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import HOST, Coded, Column, Columns
from pytest_anomod.model.runtime import Deployment, Instance, Stats

if TYPE_CHECKING:
    from pytest_anomod.modalities._scrape import Page, Scraper

INTERVAL_S = 1.0
TIMEOUT_S = 0.8
"""A service that has not answered by then counts as down (`up` 0) for this second."""

COLUMNS = (
    Column(
        name="metric_name", type="string", doc="name of the sample; parts of histograms end in _bucket, _sum, _count"
    ),
    Column(name="unit", type="string", doc="UCUM: s, ms, By, 1"),
    Column(name="kind", type="string", doc="gauge, counter (cumulative, falls when its process restarts) or histogram"),
    Column(name="value", type="float64", doc="the value as scraped"),
    Column(name="attributes", type="json", doc="the sample's labels; of `up` 0 the reason"),
)

_NONE: Mapping[str, str] = {}
_RESTARTS = ("service_restarts_total", "1", "counter")
_CONTAINER = (
    ("container_cpu_usage_seconds_total", "s", "counter"),
    ("container_memory_working_set_bytes", "By", "gauge"),
    ("container_fs_reads_bytes_total", "By", "counter"),
    ("container_fs_writes_bytes_total", "By", "counter"),
    ("container_threads", "1", "gauge"),
)
"""What cAdvisor would say of a service's container, in the order of `_container`."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Scrape:
    """One service at one tick: numbers of the series, and their values."""

    time_unix_nano: int
    instance: int
    series: array[int]
    values: array[float]


class MetricCollector:
    """Samples all instances on a grid of one second, in one daemon thread.

    Every tick gives every service an `up` of 1 or 0, so a dead service is never just silent. All rows of a tick carry
    the tick's time. `late` counts ticks that began more than a tenth of a second late because the one before took too
    long, and `dropped` those that were left out for it, and lines of pages that can't be read; `unanswered` counts
    scrapes without an answer, each of them a row `up` 0.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.dropped = 0
        self.unanswered = 0
        self.late = 0
        self._deployment = deployment
        self._instances: tuple[Instance, ...] = ()
        self._scrapes: list[_Scrape] = []
        self._series = SeriesTable()
        self._readers: dict[str, PageReader] = {}
        self._known: dict[tuple[str, str], int] = {}  # (service, instance id) -> number
        self._own: dict[tuple[str, bool], array[int]] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin; CaptureError when the deployment has nothing to scrape."""
        _host.begin()
        self._instances = self._deployment.instances()
        if not self._instances:
            msg = f"deployment of {self._deployment.system!r} has no instances; the metrics collector has no source"
            raise CaptureError(msg)
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def edge(self, name: str) -> None:
        """Nothing to do: the grid goes on; CaptureError if the thread died, so that a case ends early."""
        self._check()

    def stop(self) -> None:
        """End after the tick under way; idempotent. CaptureError when the thread died or does not end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)
            if self._thread.is_alive():
                msg = "the metrics collector did not end within 10 s: a scrape hangs"
                raise CaptureError(msg)
        self._check()

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All samples of the stretch, in time order; stops the collector first if need be."""
        self.stop()
        if self._thread is None:
            msg = "the metrics collector was never started: it has nothing to give"
            raise CaptureError(msg)
        scrapes = [scrape for scrape in self._scrapes if start_ns <= scrape.time_unix_nano < end_ns]
        scrapes += self._machine(start_ns, end_ns)
        scrapes.sort(key=lambda scrape: scrape.time_unix_nano)
        times, values, series, instances = array("q"), array("d"), array("i"), array("i")
        for scrape in scrapes:
            rows = len(scrape.values)
            times.extend(array("q", (scrape.time_unix_nano,)) * rows)
            instances.extend(array("i", (scrape.instance,)) * rows)
            series.extend(scrape.series)
            values.extend(scrape.values)
        services, ids = zip(*self._known, strict=True) if self._known else ((), ())
        table = self._series
        return {
            "time_unix_nano": times,
            "service_name": Coded(instances, services),
            "service_instance_id": Coded(instances, ids),
            "metric_name": Coded(series, table.names),
            "unit": Coded(series, table.units),
            "kind": Coded(series, table.kinds),
            "value": values,
            "attributes": Coded(series, table.attributes),
        }

    def _machine(self, start_ns: int, end_ns: int) -> Iterator[_Scrape]:
        """What the machine itself was like, as scrapes of a service of its own."""
        instance = self._known.setdefault((HOST, HOST), len(self._known))
        numbers = {field: self._series.add(*named, "gauge", _NONE) for field, named in _host.GAUGES.items()}
        for time_unix_nano, found in _host.readings(start_ns, end_ns):
            series = array("i", (numbers[field] for field in found))
            yield _Scrape(time_unix_nano, instance, series, array("d", found.values()))

    def _check(self) -> None:
        if self._error is not None:
            msg = f"the metrics collector died: {type(self._error).__name__}: {self._error}"
            raise CaptureError(msg) from self._error

    def _run(self) -> None:
        from pytest_anomod.modalities._scrape import Scraper

        scraper = Scraper()
        try:
            self._tick_forever(scraper)
        except BaseException as error:  # whatever it was, stop() must say it: nobody sees a thread die
            self._error = error
        finally:
            scraper.close()

    def _tick_forever(self, scraper: Scraper) -> None:
        start_s = clock.monotonic_s()
        tick = 0
        while not self._ending.is_set():
            self._tick(scraper)
            elapsed = (clock.monotonic_s() - start_s) / INTERVAL_S
            missed = max(0, int(elapsed) - tick - 1)  # the next is made up for at once, those before it are lost
            self.dropped += missed
            tick += missed + 1
            self.late += elapsed - tick > 0.1
            self._ending.wait(max(0.0, (tick - elapsed) * INTERVAL_S))

    def _tick(self, scraper: Scraper) -> None:
        with contextlib.suppress(DeploymentError):  # no answer: we go on with what ran last, the dead show as down
            self._instances = self._deployment.instances()
        now = clock.now_ns()
        # first, for a service that is held makes the round of scrapes long, and these are placed at the tick's time
        figures = {instance.service: self._stats(instance.service) for instance in self._instances}
        urls = {instance.service: instance.metrics_url for instance in self._instances if instance.metrics_url}
        pages = scraper.scrape(urls, TIMEOUT_S)
        for instance in self._instances:
            service = instance.service
            self._scrapes.append(self._scrape(now, instance, figures[service], pages.get(service)))

    def _stats(self, service: str) -> Stats | None:
        try:
            return self._deployment.stats(service)
        except DeploymentError:
            return None

    def _scrape(self, now: int, instance: Instance, stats: Stats | None, page: Page | None) -> _Scrape:
        if page is None:  # it has no page of its own: alive is all that can be asked
            reason = "" if stats is not None or instance.state == "running" else instance.state
        else:
            reason = page.reason
        self.unanswered += bool(reason)
        series = self._own_series(reason, with_container=stats is not None)[:]
        values = array("d", (not reason, instance.restarts, *(() if stats is None else _container(stats))))
        if page is not None and page.text:
            reader = self._readers.get(instance.service)
            if reader is None:
                reader = self._readers[instance.service] = PageReader(self._series)
            numbers, found = reader.read(page.text)
            self.dropped += reader.unreadable
            series.extend(numbers)
            values.extend(found)
        number = self._known.setdefault((instance.service, instance.instance_id), len(self._known))
        return _Scrape(now, number, series, values)

    def _own_series(self, reason: str, *, with_container: bool) -> array[int]:
        """Numbers of the series that we give every service ourselves."""
        key = (reason, with_container)
        if key not in self._own:
            up = self._series.add("up", "1", "gauge", {"reason": reason} if reason else _NONE)
            others = (_RESTARTS, *_CONTAINER) if with_container else (_RESTARTS,)
            self._own[key] = array("i", (up, *(self._series.add(*declared, _NONE) for declared in others)))
        return self._own[key]


def _container(stats: Stats) -> tuple[float, ...]:
    return stats.cpu_s, stats.memory_bytes, stats.read_bytes, stats.written_bytes, stats.threads


class Metrics:
    """The modality of metrics."""

    name = "metrics"
    columns = COLUMNS
    has_length = False

    def collector(self, deployment: Deployment, sources: Mapping[str, Json]) -> MetricCollector:
        """A collector for one case."""
        return MetricCollector(deployment)


OFFERS = (Metrics(),)

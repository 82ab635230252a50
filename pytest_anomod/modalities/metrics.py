"""Metrics: once a second every service's own figures, what its processes use, and whether it answers at all."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.modalities._prometheus import Sample, samples
from pytest_anomod.modalities._rows import Row, to_columns
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Column, Columns
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
FIELDS = ("time_unix_nano", "service_name", "service_instance_id", *(column.name for column in COLUMNS))

_NONE: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class _Scrape:
    """One service at one tick; the page is kept compressed and read at the end."""

    time_unix_nano: int
    instance: Instance
    stats: Stats | None
    page: bytes | None
    reason: str


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
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._rows: list[Row] | None = None

    def start(self) -> None:
        """Begin; CaptureError when the deployment has nothing to scrape."""
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
        if self._rows is None:
            self._rows = [row for scrape in self._scrapes for row in self._read(scrape)]
            self._scrapes.clear()
        return to_columns(self._rows, FIELDS, start_ns, end_ns)

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
        text = zlib.compress(page.text, 1) if page is not None and page.text else None
        return _Scrape(now, instance, stats, text, reason)

    def _read(self, scrape: _Scrape) -> Iterator[Row]:
        instance = scrape.instance
        for sample in self._samples(scrape):
            if sample is None:
                self.dropped += 1
            else:
                yield (scrape.time_unix_nano, instance.service, instance.instance_id, *sample)

    def _samples(self, scrape: _Scrape) -> Iterator[Sample | None]:
        yield "up", "1", "gauge", float(not scrape.reason), {"reason": scrape.reason} if scrape.reason else _NONE
        yield "service_restarts_total", "1", "counter", float(scrape.instance.restarts), _NONE
        if scrape.stats is not None:
            yield from _container(scrape.stats)
        if scrape.page is not None:
            yield from samples(zlib.decompress(scrape.page).decode("utf-8", "replace"))


def _container(stats: Stats) -> Iterator[Sample]:
    """What cAdvisor would say of the service's container."""
    yield "container_cpu_usage_seconds_total", "s", "counter", stats.cpu_s, _NONE
    yield "container_memory_working_set_bytes", "By", "gauge", float(stats.memory_bytes), _NONE
    yield "container_fs_reads_bytes_total", "By", "counter", float(stats.read_bytes), _NONE
    yield "container_fs_writes_bytes_total", "By", "counter", float(stats.written_bytes), _NONE
    yield "container_threads", "1", "gauge", float(stats.threads), _NONE


class Metrics:
    """The modality of metrics."""

    name = "metrics"
    columns = COLUMNS
    has_length = False

    def collector(self, deployment: Deployment, sources: Mapping[str, Json]) -> MetricCollector:
        """A collector for one case."""
        return MetricCollector(deployment)


OFFERS = (Metrics(),)

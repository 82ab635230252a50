"""Samples every service once a second: its page of metrics, the resources it uses, and whether it answers."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.modality import HOST, Coded, Columns
from pytest_anomod.model.runtime import Deployment, Instance, Stats
from pytest_anomod.model.source import MetricsPage, ResourceFigures
from pytest_anomod.sources import _machine
from pytest_anomod.sources.collect import Reader
from pytest_anomod.sources.openmetrics import PageReader, SeriesTable

if TYPE_CHECKING:
    from pytest_anomod.sources._scrape import Page, Scraper

INTERVAL_S = 1.0
TIMEOUT_S = 0.8
"""A service that has not answered by then counts as down (`up` 0) for this second."""

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


class GridReader(Reader):
    """Samples all instances on a grid of one second, in one daemon thread; and the machine that we are on.

    Every tick gives every service an `up` of 1 or 0, so a dead service has rows too. All rows of a tick carry
    the tick's time. `late` counts ticks that began more than a tenth of a second late because the one before took too
    long, and `dropped` those that were left out for it; `unanswered` counts scrapes without an answer, each of them a
    row `up` 0; `noted` has the lines of pages that are no samples.
    """

    def __init__(self, deployment: Deployment, sources: Sequence[MetricsPage | ResourceFigures]) -> None:
        super().__init__()
        self.unanswered = 0
        self.late = 0
        self._deployment = deployment
        pages = [source for source in sources if isinstance(source, MetricsPage)]
        self._pages = {_part(page.service, page.number): page for page in pages}
        self._figures = {source.service for source in sources if isinstance(source, ResourceFigures)}
        self._instances: tuple[Instance, ...] = ()
        self._scrapes: list[_Scrape] = []
        self._series = SeriesTable()
        self._readers: dict[str, PageReader] = {}
        self._known: dict[tuple[str, str | None], int] = {}  # (service, instance id) -> number
        self._own: dict[tuple[str, int], array[int]] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        _machine.begin()
        self._instances = self._deployment.instances()
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
        """All samples of the stretch, in time order."""
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
        numbers = {field: self._series.add(*named, "gauge", _NONE) for field, named in _machine.GAUGES.items()}
        for time_unix_nano, found in _machine.readings(start_ns, end_ns):
            series = array("i", (numbers[field] for field in found))
            yield _Scrape(time_unix_nano, instance, series, array("d", found.values()))

    def _check(self) -> None:
        if self._error is not None:
            msg = f"the metrics collector died: {type(self._error).__name__}: {self._error}"
            raise CaptureError(msg) from self._error

    def _run(self) -> None:
        from pytest_anomod.sources._scrape import Scraper

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
        figures = {service: self._stats(service) for service in self._figures}
        pages = scraper.scrape({part: page.url for part, page in self._pages.items()}, TIMEOUT_S)
        for instance in self._instances:
            stats = figures.pop(instance.service, None)  # of several instances the first has them
            page = pages.pop(instance.instance_id.rpartition("-")[0], None)
            key = instance.service, instance.instance_id
            self._scrapes.append(self._scrape(now, key, stats, page, instance))
        for part, page in pages.items():  # a page of no instance that the runtime knows
            self._scrapes.append(self._scrape(now, (self._pages[part].service, None), None, page))

    def _stats(self, service: str) -> Stats | None:
        try:
            return self._deployment.stats(service)
        except DeploymentError:
            return None

    def _scrape(
        self,
        now: int,
        key: tuple[str, str | None],
        stats: Stats | None,
        page: Page | None,
        instance: Instance | None = None,
    ) -> _Scrape:
        if page is not None:
            reason = page.reason
        else:  # it has no page of its own: alive is all that can be asked
            reason = "" if stats is not None or instance is None or instance.state == "running" else instance.state
        self.unanswered += bool(reason)
        container = () if stats is None else _container(stats)
        series = self._own_series(reason, len(container))[:]
        restarts = 0 if instance is None else instance.restarts
        values = array("d", (not reason, restarts, *container))
        if page is not None and page.text:
            name = key[0] if instance is None else instance.instance_id.rpartition("-")[0]
            reader = self._readers.get(name)
            if reader is None:
                reader = self._readers[name] = PageReader(self._series)
            numbers, found = reader.read(page.text)
            if reader.unreadable:
                self.noted["lines of metrics pages that can't be read"] += reader.unreadable
            series.extend(numbers)
            values.extend(found)
        number = self._known.setdefault(key, len(self._known))
        return _Scrape(now, number, series, values)

    def _own_series(self, reason: str, figures: int) -> array[int]:
        """Numbers of the series that we give every service ourselves, with so many of its container."""
        key = (reason, figures)
        if key not in self._own:
            up = self._series.add("up", "1", "gauge", {"reason": reason} if reason else _NONE)
            others = (_RESTARTS, *_CONTAINER[:figures])
            self._own[key] = array("i", (up, *(self._series.add(*declared, _NONE) for declared in others)))
        return self._own[key]


def _container(stats: Stats) -> tuple[float, ...]:
    if stats.is_partial:
        return stats.cpu_s, stats.memory_bytes
    return stats.cpu_s, stats.memory_bytes, stats.read_bytes, stats.written_bytes, stats.threads


def _part(service: str, number: int) -> str:
    """What an instance id begins with, before the number of the start."""
    return f"{service}.{number}" if number else service

"""Metrics: figures of every service, and of the machine, as they change."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_anomod.modalities._sourced import SourcedCollector, chosen, readers_of
from pytest_anomod.model.modality import Column
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import MetricsPage, ResourceFigures, Source
from pytest_anomod.sources import backends
from pytest_anomod.sources.collect import Maker
from pytest_anomod.sources.grid import GridReader
from pytest_anomod.sources.read import METRIC_FIELDS

COLUMNS = (
    Column(
        name="metric_name", type="string", doc="name of the sample; parts of histograms end in _bucket, _sum, _count"
    ),
    Column(name="unit", type="string", doc="UCUM: s, ms, By, 1"),
    Column(name="kind", type="string", doc="gauge, counter (cumulative, falls when its process restarts) or histogram"),
    Column(name="value", type="float64", doc="the value as scraped"),
    Column(name="attributes", type="json", doc="the sample's labels; of `up` 0 the reason"),
)

READERS: dict[type, Maker] = backends.METRICS


class Metrics:
    """The modality of metrics."""

    name = "metrics"
    columns = COLUMNS
    has_length = False
    absence = "it was not collected"

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> SourcedCollector:
        """A collector for every case: the grid of our own, which sees the machine too, beside what others collect.

        Without any source the grid still says of each service whether it is up, and how often it was restarted.
        """
        readers = readers_of(READERS, deployment, sources)
        own = chosen(sources, MetricsPage, ResourceFigures)
        return SourcedCollector(self.name, METRIC_FIELDS, [GridReader(deployment, own), *readers])


OFFERS = (Metrics(),)

"""A collector that reads its modality from the sources of a deployment, with one reader for each kind of source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import Source
from pytest_anomod.sources._rows import merged
from pytest_anomod.sources.collect import Maker, Reader, settle


class SourcedCollector:
    """The rows of several readers as one table; see `model.modality.Collector`."""

    def __init__(self, name: str, fields: Sequence[str], readers: Sequence[Reader]) -> None:
        self.readers = tuple(readers)
        self.may_be_silent = all(reader.may_be_silent for reader in readers)
        self._name = name
        self._fields = tuple(fields)
        self._started = False

    @property
    def dropped(self) -> int:
        """Records that could not be taken."""
        return sum(reader.dropped for reader in self.readers)

    @property
    def noted(self) -> Mapping[str, int]:
        """Oddities of records, and reasons why some were dropped: how often each, by its text."""
        return sum((reader.noted for reader in self.readers), Counter[str]())

    def start(self) -> None:
        """Begin; CaptureError when a source can't be had."""
        for reader in self.readers:
            reader.start()
        self._started = True

    def edge(self, name: str) -> None:
        """A phase begins or ends now."""
        for reader in self.readers:
            reader.edge(name)

    def settle(self, since_s: float) -> None:
        """Wait for records that are on their way."""
        settle(self.readers, since_s)

    def stop(self) -> None:
        """End, and read what there is; idempotent."""
        for reader in self.readers:
            reader.stop()

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All records of the stretch, in time order; stops the collector first if need be."""
        self.stop()
        if not self._started:
            msg = f"the {self._name} collector was never started: it has nothing to give"
            raise CaptureError(msg)
        return self._as_one([reader.columns(start_ns, end_ns) for reader in self.readers])

    def _as_one(self, parts: Sequence[Columns]) -> Columns:
        """What the readers gave, in their order, as one table."""
        return merged(parts, self._fields)


def chosen(sources: Sequence[Source], *kinds: type) -> list[Any]:
    """The sources of some kinds, in their order."""
    return [source for source in sources if isinstance(source, kinds)]


def readers_of(makers: Mapping[type, Maker], deployment: Deployment, sources: Sequence[Source]) -> list[Reader]:
    """A reader for each kind of source of which there is one."""
    found = ((maker, chosen(sources, kind)) for kind, maker in makers.items())
    return [maker(deployment, of_kind) for maker, of_kind in found if of_kind]


def sourced(
    name: str, fields: Sequence[str], makers: Mapping[type, Maker], deployment: Deployment, sources: Sequence[Source]
) -> SourcedCollector | None:
    """A collector of all sources that `makers` understand; None when there is none."""
    readers = readers_of(makers, deployment, sources)
    return SourcedCollector(name, fields, readers) if readers else None

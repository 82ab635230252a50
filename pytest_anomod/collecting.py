"""Runs the collectors of a case, one for each modality that its system has a source of, and notes absent modalities."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Collector, Columns, Modality, in_order
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import NoSource, Source


@dataclasses.dataclass(kw_only=True)
class Collecting:
    """Collectors by modality, in the order of modalities; `absent` has the reason for each modality without one.

    `lacking` has, for each modality with one, the reasons why single services contribute nothing.
    """

    collectors: dict[str, Collector]
    absent: dict[str, str]
    lacking: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    settled_s: float = 0.0
    """How long records that were on their way were waited for."""

    @classmethod
    def of(cls, deployment: Deployment, sources: Sequence[Source]) -> Collecting:
        """The collectors of all modalities on offer that understand one of the sources."""
        found = cls(collectors={}, absent={})
        offers: Mapping[str, Modality] = catalog.offers("modalities")
        missing: dict[str, list[str]] = {}
        for source in sources:
            if isinstance(source, NoSource):
                missing.setdefault(source.modality, []).append(source.why)
        for name in in_order(offers):
            collector = offers[name].collector(deployment, sources)
            if collector is None:
                found.absent[name] = "; ".join(missing.get(name, ())) or offers[name].absence
            else:
                found.collectors[name] = collector
                if name in missing:
                    found.lacking[name] = missing[name]
        return found

    def edge(self, name: str) -> None:
        """A phase begins or ends now."""
        for collector in self.collectors.values():
            collector.edge(name)

    def settle(self) -> None:
        """Wait for records that are on their way, all at once, as long as their sources say at most."""
        since_s = clock.monotonic_s()
        for collector in self.collectors.values():
            collector.settle(since_s)
        self.settled_s = clock.monotonic_s() - since_s

    def tables(self, start_ns: int, end_ns: int, known: Sequence[str]) -> Iterator[tuple[Modality, Columns]]:
        """The rows of each modality; one without any is absent, or a CaptureError where some must be.

        `known` is what went wrong before: the error's message has it too.
        """
        for name, collector in tuple(self.collectors.items()):
            columns = collector.columns(start_ns, end_ns)
            if len(columns.get("time_unix_nano", ())):
                yield catalog.find("modalities", name), columns
            elif collector.may_be_silent:
                del self.collectors[name]
                self.absent[name] = _silence(collector, (end_ns - start_ns) / clock.NS_PER_S)
            else:
                msg = f"the {name} collector has no record at all between the case's start and end; the case is no case"
                raise CaptureError("; ".join([*known, msg]))

    def dropped(self) -> dict[str, int]:
        """Records of each modality that could not be taken."""
        return {name: collector.dropped for name, collector in self.collectors.items()}

    def may_be_silent(self) -> frozenset[str]:
        """Modalities of which nothing has to come."""
        return frozenset(name for name, collector in self.collectors.items() if collector.may_be_silent)

    def told(self) -> dict[str, Json]:
        """What case.json records of the collectors."""
        noted = {name: dict(collector.noted) for name, collector in self.collectors.items()}
        return {
            "absent": dict(self.absent),
            "lacking": dict(self.lacking),
            "may_be_silent": sorted(self.may_be_silent()),
            "noted": {name: counts for name, counts in noted.items() if counts},
            "settled_s": round(self.settled_s, 3),
        }


def _silence(collector: Collector, length_s: float) -> str:
    """Why there is no record of a modality that may be silent."""
    if not collector.dropped:
        return f"nothing was sent or written, by any service, in the {length_s:.0f} s of the case"
    reasons = ", ".join(collector.noted) or "not in a form that is known"
    return f"none of {collector.dropped} records of the case could be read ({reasons})"

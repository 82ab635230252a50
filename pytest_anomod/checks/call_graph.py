"""Who calls whom in a case, from its spans, and from the system's declared calls where a service sends none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.spans import ids, spans
from pytest_anomod.checks.tables import Rows, Table, kept
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

SPANS, DECLARED = "spans", "declared"

Edge = tuple[str, str]
"""(caller, callee)"""

Pair = tuple[Rows, Rows]
"""Rows of the baseline and of the anomaly window."""

LONE_MOST = 0.01
"""Share of a service's SERVER spans without one above up to which no unknown caller is supposed."""

DEEPEST = 16
"""INTERNAL spans that may lie between a call and the SERVER span in which it is made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallGraph:
    """The edges of a case. `calls` are rows of spans by edge, `made_in` the SERVER spans of the caller they are below.

    A call is a CLIENT span, or a SERVER span right below a span of another service where there is no CLIENT span.
    """

    view: CaseView
    table: Table
    calls: Mapping[Edge, np.ndarray]
    made_in: Mapping[Edge, np.ndarray]
    whole: frozenset[str]
    """Services all of whose SERVER spans (but a few, that were lost) have the span above them in the case."""

    @cached_property
    def edges(self) -> Mapping[Edge, str]:
        """All edges, each with its origin: SPANS, or DECLARED where the caller sends no spans.

        Left out are declared calls of a service that was not called itself (its callers send spans), and declared calls
        to a service whose SERVER spans all have a span above: those spans name its callers.
        """
        traced = {caller for caller, _ in self.calls} | set(self.table.labels("service_name").names)
        called = {callee for _, callee in self.calls}
        system = self.view.system
        idle = {
            service.name
            for service in system.services
            if service.name not in called and (callers := system.callers(service.name)) and traced >= {*callers}
        } - {system.entry}
        declared = {
            (service.name, callee): DECLARED
            for service in system.services
            for callee in service.calls
            if service.name not in traced | idle and callee not in self.whole
        }
        return {**declared, **dict.fromkeys(self.calls, SPANS)}

    @cached_property
    def callers(self) -> Mapping[str, tuple[str, ...]]:
        """The callers of each service that is called."""
        return _grouped((callee, caller) for caller, callee in self.edges)

    @cached_property
    def callees(self) -> Mapping[str, tuple[str, ...]]:
        """Whom each caller calls."""
        return _grouped(self.edges)

    def called(self, cut: Cut, edge: Edge) -> Pair | None:
        """The calls of an edge in both windows; None where no span is of it."""
        return self._pair(cut, self.calls.get(edge))

    def served(self, cut: Cut, edge: Edge) -> Pair | None:
        """The caller's own SERVER spans in which it made such calls; None where it has none."""
        return self._pair(cut, self.made_in.get(edge))

    def _pair(self, cut: Cut, at: np.ndarray | None) -> Pair | None:
        if at is None or not len(at):
            return None
        times = self.table.times[at]
        ended = times + self.table["duration_ns"][at] < cut.before.end_ns
        before = (times >= cut.before.start_ns) & (times < cut.before.end_ns) & ended
        after = (times >= cut.after.start_ns) & (times < cut.after.end_ns)
        return Rows(self.table, at[before]), Rows(self.table, at[after])


def call_graph(view: CaseView) -> CallGraph:
    """The call graph of a case."""
    return kept(view, "call graph", lambda: _call_graph(view))


def _call_graph(view: CaseView) -> CallGraph:
    import numpy as np

    rows = spans(view)
    services, peer = rows.labels("service_name").codes, rows.labels("peer")
    kinds = rows.labels("span_kind")
    server, client = kinds.codes == kinds.code("SERVER"), kinds.codes == kinds.code("CLIENT")
    parent = _parents(view)
    orphan = server & (parent >= 0) & ~client[parent] & (services[parent] != services)
    caller = np.where(orphan, services[parent], services)
    callee = np.where(orphan, services, peer.codes)
    at = np.flatnonzero((orphan | (client & (peer.codes >= 0))) & (caller >= 0) & (caller != callee))
    above = _servers_above(parent, services, server, at, caller[at])
    keys = caller[at] * len(peer.names) + callee[at]
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    names = [(peer.names[key // len(peer.names)], peer.names[key % len(peer.names)]) for key in found.tolist()]
    calls = np.split(at[order], starts[1:]) if len(found) else []
    made_in = np.split(above[order], starts[1:]) if len(found) else []
    return CallGraph(
        view=view,
        whole=_whole(services, parent, server, rows.labels("service_name").names),
        table=rows,
        calls=dict(zip(names, calls, strict=True)),
        made_in={name: np.unique(part[part >= 0]) for name, part in zip(names, made_in, strict=True)},
    )


def _parents(view: CaseView) -> np.ndarray:
    """The row of the span above each span; -1 where it is not there."""
    import numpy as np

    (own, above), count = ids(view)
    places = np.full(count + 1, -1, dtype=np.int64)
    places[own] = np.arange(len(own))
    places[-1] = -1  # that of spans without any above
    return places[above]


def _whole(services: np.ndarray, parent: np.ndarray, server: np.ndarray, names: Sequence[str]) -> frozenset[str]:
    import numpy as np

    answered = server & (services >= 0)
    counts = np.bincount(services[answered], minlength=len(names))
    lone = np.bincount(services[answered & (parent < 0)], minlength=len(names))
    return frozenset(names[code] for code in np.flatnonzero((counts > 0) & (lone <= LONE_MOST * counts)).tolist())


def _servers_above(
    parent: np.ndarray, services: np.ndarray, server: np.ndarray, at: np.ndarray, callers: np.ndarray
) -> np.ndarray:
    """For calls at these rows the nearest SERVER span of the caller above; -1 where there is none."""
    import numpy as np

    place = parent[at]
    for _ in range(DEEPEST):
        inner = (place >= 0) & ~server[place] & (services[place] == callers)
        if not inner.any():
            break
        place = np.where(inner, parent[place], place)
    return np.where((place >= 0) & server[place] & (services[place] == callers), place, -1)


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}

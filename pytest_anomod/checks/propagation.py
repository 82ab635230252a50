"""How the fault of a case spread from service to service, with the evidence: the propagation path of the label.

A step leads from a cause to one who calls it, and is proven if three things hold (as in OpenRCA 2.0): there are such
calls; the caller's own requests in which it makes them are answered worse than in the baseline, by the statistics of
the verdict; and no such answer was there before the first bad one at the cause had begun. Looked at next are the
callers of those who were reached, so the figures of one round are corrected for their number together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pytest_anomod.checks.call_graph import DECLARED, SPANS, CallGraph, Edge, call_graph
from pytest_anomod.checks.cut import Cut, fault_cut
from pytest_anomod.checks.onset import bad_rows, onset
from pytest_anomod.checks.propagation_ends import (
    EFFECTS,
    began,
    fault_edges,
    filled,
    onset_of,
    root_hop,
    telling,
    user_hops,
)
from pytest_anomod.checks.series import answered_series, asked_series, log_series
from pytest_anomod.checks.shifts import Series, Shift
from pytest_anomod.checks.statistics import MIN_ROWS, compare
from pytest_anomod.checks.tables import Rows, kept
from pytest_anomod.model.propagation import Hop, Known, Propagation
from pytest_anomod.model.verdict import CaseView, Finding

if TYPE_CHECKING:
    import numpy as np

Key = TypeVar("Key")

ENOUGH_ROWS = 10
"""Rows in both windows that are needed to say that a service was not reached."""

SILENT_MOST = 0.5
"""Calls without an answering span prove nothing where most have none in the baseline: stores send no spans."""


def propagation(view: CaseView, findings: Sequence[Finding]) -> Propagation:
    """All steps that the fault took or could have taken; none for a control."""
    return kept(view, "propagation", lambda: _propagation(view, findings))


def _propagation(view: CaseView, findings: Sequence[Finding]) -> Propagation:
    if view.scenario.is_control:
        return Propagation()
    root, cut = view.scenario.target, fault_cut(view)
    if cut is None:
        return Propagation(root=root, hops=(root_hop(view, findings),), fault_edges=fault_edges(view))
    spread = _Spread(cut=cut, graph=call_graph(view))
    spread.begin(root_hop(view, findings))
    spread.to_callers()
    spread.to_callees()
    users = user_hops(cut, spread.reached)
    hops = sorted([*spread.hops, *users], key=lambda hop: hop.hop)
    return Propagation(root=root, hops=tuple(hops), fault_edges=fault_edges(view))


@dataclasses.dataclass(kw_only=True)
class _Spread:
    """What is known so far: the steps, and the services that were or may have been reached."""

    cut: Cut
    graph: CallGraph
    hops: list[Hop] = dataclasses.field(default_factory=list)
    reached: dict[str, Hop] = dataclasses.field(default_factory=dict)
    """By service the step that reached it first; one that is proven comes before those that are unknown."""

    @property
    def root(self) -> str:
        """The root cause."""
        return self.cut.view.scenario.target

    @cached_property
    def multiples(self) -> np.ndarray:
        """Durations of all spans as multiples of what is usual for their kind."""
        import numpy as np

        clients = self.graph.table.labels("span_kind")
        is_client = clients.codes == clients.code("CLIENT")
        return np.where(is_client, self.cut.client_multiples, self.cut.server_multiples)

    def begin(self, root: Hop) -> None:
        """Put in the root cause: itself, or each edge that the fault lies on, with what the calls over it show."""
        edges = fault_edges(self.cut.view)
        tested = self._tested({edge: self._call_series(edge) for edge in edges})
        self.hops = [self._on_edge(root, edge, tested[edge]) for edge in edges] or [root]
        self.reached = {self.root: root}

    def _on_edge(self, root: Hop, edge: Edge, shifts: Sequence[Shift]) -> Hop:
        """The root cause on one edge."""
        hop = dataclasses.replace(root, caller=edge[0], callee=edge[1], edge_from=self.graph.edges.get(edge, ""))
        if not shifts:
            return hop
        if not shifts[0].moved:
            return dataclasses.replace(hop, propagated=Known.UNKNOWN, why="the calls are answered as before")
        moved = [shift for shift in shifts if shift.moved]
        hop = self._with_evidence(hop, telling(moved), self.graph.calls[edge])
        return began(dataclasses.replace(hop, effect="state"), onset_of(root))

    def to_callers(self) -> None:
        """Round by round from those that were reached to their callers."""
        frontier = [self.root]
        while frontier:
            edges = [
                (caller, callee)
                for callee in frontier
                for caller in self.graph.callers.get(callee, ())
                if caller != self.root
            ]
            before = set(self.reached)
            steps = list(self._round(edges))
            self.hops += self._explained(steps)
            for hop in sorted(self.hops, key=lambda hop: hop.propagated is not Known.YES):
                if hop.propagated is not Known.NO and hop.cause is not None:
                    self.reached.setdefault(hop.service, hop)
            frontier = [name for name in self.reached if name not in before]

    def to_callees(self) -> None:
        """From those that are worse off to whom they call: asked more often, or less, and no worse off themselves."""
        frontier = [name for name, hop in self.reached.items() if hop.propagated is Known.YES]
        seen = {*self.reached}
        while frontier:
            edges = [(one, other) for one in frontier for other in self.graph.callees.get(one, ()) if other not in seen]
            series = {edge: [*self._load_series(*edge), *self._load_series(None, edge[1])] for edge in edges}
            tested = {edge: shifts for edge, shifts in self._tested(series).items() if len(shifts) > 1}
            found = {edge: shifts[0] for edge, shifts in tested.items() if all(shift.moved for shift in shifts)}
            for (cause, service), shift in found.items():
                hop = Hop(
                    hop=self.reached[cause].hop + 1, cause=cause, service=service, caller=cause, callee=service,
                    edge_from=SPANS, propagated=Known.YES, effect="load", why="",
                )  # fmt: skip
                self.hops.append(filled(hop, shift))
                self.reached.setdefault(service, self.hops[-1])
            frontier = list(dict.fromkeys(service for _, service in found))
            seen |= {*frontier}

    def _round(self, edges: Sequence[Edge]) -> Iterator[tuple[Hop, bool]]:
        """The step over each of these edges, and whether the calls themselves are answered worse."""
        served = {edge: self._served_series(edge) for edge in edges}
        called = {edge: self._call_series(edge) for edge in edges}
        lines = {edge: list(log_series(self.cut, edge[0]))[:1] for edge in edges if not served[edge]}
        all_series = {("served", *edge): part for edge, part in served.items()}
        all_series |= {("called", *edge): part for edge, part in called.items()}
        all_series |= {("lines", *edge): part for edge, part in lines.items()}
        tested = self._tested(all_series)
        for edge in edges:
            own = [*tested["served", *edge], *tested.get(("lines", *edge), ())]
            yield self._step(edge, own), any(shift.moved for shift in tested["called", *edge])

    def _step(self, edge: Edge, shifts: Sequence[Shift]) -> Hop:
        """The step from a callee that was reached to its caller, by what the caller's own figures say."""
        service, cause = edge
        came = self.reached[cause]
        hop = Hop(
            hop=came.hop + 1, cause=cause, service=service, caller=service, callee=cause,
            edge_from=self.graph.edges[edge], propagated=Known.NO, why="",
        )  # fmt: skip
        moved = [shift for shift in shifts if shift.moved]
        if not moved:
            known, why = self._not_seen(edge, shifts)
            return dataclasses.replace(hop, propagated=known, why=why)
        hop = self._with_evidence(hop, telling(moved), self.graph.made_in.get(edge))
        mine, its = onset_of(hop), onset_of(came)
        if mine is not None and its is not None and mine.before(its):
            lead_s = (its.begin_ns - mine.time_ns) / 1e9
            return dataclasses.replace(hop, why=f"it was there {lead_s:.1f} s before it began at {cause}")
        if came.propagated is Known.UNKNOWN:
            return dataclasses.replace(hop, propagated=Known.UNKNOWN, why=f"whether {cause} was reached is unknown")
        if mine is None and its is not None and hop.modality == "traces":
            return dataclasses.replace(hop, propagated=Known.UNKNOWN, why="when it began can't be said")
        gave_up = mine is not None and its is not None and came.cause is not None and mine.earlier(its)
        why = f"it does not wait for the end of it at {cause}" if gave_up else ""
        return dataclasses.replace(hop, propagated=Known.YES, why=why)

    def _not_seen(self, edge: Edge, shifts: Sequence[Shift]) -> tuple[Known, str]:
        """Whether figures that did not move say that the service was not reached, or nothing."""
        rows = self.graph.served(self.cut, edge)
        if rows is None:
            return Known.UNKNOWN, f"no span of {edge[0]} shows how its requests were answered"
        before, after = map(len, rows)
        if before >= MIN_ROWS and not after:
            if len(self.cut.served(edge[0])[1]):
                return Known.NO, "it made no such call while the fault was in"
            if not len(self.cut.called(edge[0])[1]) and edge[0] in self.graph.callers:
                return Known.NO, "nobody asked it while the fault was in"
        if min(before, after) < ENOUGH_ROWS:
            return Known.UNKNOWN, f"only {before} and {after} of its requests make such calls"
        nearest = max(shifts, key=lambda shift: shift.strength, default=None)
        return Known.NO, "" if nearest is None else f"nearest: {nearest.figure}: {nearest.why_not}"

    def _explained(self, steps: Sequence[tuple[Hop, bool]]) -> list[Hop]:
        """The steps; those over calls that went as before are none where another step explains the effect."""
        sure = {hop.service for hop, calls_moved in steps if hop.propagated is Known.YES and calls_moved}
        sure |= {hop.service for hop in self.hops if hop.propagated is Known.YES and hop.effect != "content"}
        found = []
        for hop, calls_moved in steps:
            if hop.propagated is Known.YES and not calls_moved and hop.edge_from != DECLARED:
                if hop.service in sure:
                    hop = dataclasses.replace(hop, propagated=Known.NO, why="its calls there went as before")
                else:
                    why = "the calls neither fail more nor take longer: it is what they answer, which no span says"
                    hop = dataclasses.replace(hop, effect="content", why=why)
            found.append(hop)
        return found

    def _served_series(self, edge: Edge) -> list[Series]:
        rows = self.graph.served(self.cut, edge)
        if rows is None and self.graph.edges[edge] == DECLARED:
            rows = self.cut.served(edge[0])
        if rows is None or not len(rows[0]):
            return []
        return list(answered_series(self.cut, edge[0], *rows, self.multiples))

    def _call_series(self, edge: Edge) -> list[Series]:
        rows = self.graph.called(self.cut, edge)
        if rows is None or not len(rows[0]):
            return []
        series = list(answered_series(self.cut, f"calls to {edge[1]}", *rows, self.multiples))
        if rows[0]["silent"].mean() < SILENT_MOST:
            whole = dataclasses.replace(
                series[0], figure="unanswered",
                before=rows[0].stretch("silent", self.cut.before),
                after=self.cut.known(rows[1]).stretch("silent", self.cut.after),
            )  # fmt: skip
            series.append(whole)
        return series

    def _load_series(self, caller: str | None, callee: str) -> Iterator[Series]:
        """How often a service is called by one caller; by None: by all of them together."""
        rows = self.graph.called(self.cut, (caller, callee)) if caller else self.cut.called(callee)
        if rows is not None and len(rows[0]):
            yield asked_series(self.cut, callee, *rows)

    def _tested(self, series: Mapping[Key, Sequence[Series]]) -> dict[Key, list[Shift]]:
        """The shifts of all these series, corrected together, by their key, the strongest first."""
        flat = [
            dataclasses.replace(one, subject=str(number)) for number, part in enumerate(series.values()) for one in part
        ]
        found: dict[str, list[Shift]] = {}
        for shift in compare(flat, pace=self.cut.pace):
            found.setdefault(shift.subject, []).append(shift)
        return {key: found.get(str(number), []) for number, key in enumerate(series)}

    def _with_evidence(self, hop: Hop, shift: Shift, at: np.ndarray | None) -> Hop:
        """The step with the shift that proves it; of the spans at these rows how many were bad, and since when."""
        hop = dataclasses.replace(filled(hop, shift), effect=EFFECTS.get(shift.figure, "latency"))
        if at is None or not len(at) or hop.modality != "traces":
            return hop
        times = self.graph.table.times[at]
        rows = Rows(self.graph.table, at[(times >= self.cut.before.start_ns) & (times < self.cut.after.end_ns)])
        bad = bad_rows(self.cut, rows, shift, self.multiples)
        hop = dataclasses.replace(hop, weight=int(bad[rows["time_unix_nano"] >= self.cut.after.start_ns].sum()))
        return began(hop, onset(self.cut, rows, bad))

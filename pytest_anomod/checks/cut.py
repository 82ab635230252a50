"""Two windows of a case side by side: the rows of each modality in the one and in the other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.shifts import Stretch
from pytest_anomod.checks.statistics import MIN_ROWS
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.timeline import Phase, Window
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

ERROR = 17
"""OpenTelemetry's severity number from which a line is an error."""

MOST_PACE = 2.0
LEAST_KINDS = 3
"""Kinds of spans beside the target's that are needed to tell the machine's pace, and how much it may excuse."""

CUT_OFF_S = 1.0

_PEER = re.compile(r'"peer\.service":\s*"([^"]+)"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut:
    """The rows of two windows; rows with a length count where they start."""

    view: CaseView
    before: Window
    after: Window

    def rows(self, modality: str, window: Window) -> Any:
        """The rows of a modality that begin in a window, in time order."""
        return self.inside(self.view.frames[modality], window)

    def inside(self, frame: Any, window: Window) -> Any:
        """The rows of a table that begin in a window, in time order."""
        times = frame["time_unix_nano"].to_numpy()
        return frame[(times >= window.start_ns) & (times < window.end_ns)].sort_values("time_unix_nano", kind="stable")

    def pair(self, modality: str) -> tuple[Any, Any]:
        """The rows of a modality in both windows."""
        return self.rows(modality, self.before), self.rows(modality, self.after)

    @cached_property
    def responses(self) -> tuple[Any, Any]:
        """API responses of both windows with `failed`, `key` and `ms`; in the first only those that also ended in it.

        What began in the baseline and ended in the onset belongs to neither. A suite has many small tests that meet on
        few routes: there the key is the route.
        """
        frame = self.view.frames["api_responses"]
        replayed = self.view.scenario.workload.closed_loop
        frame = frame.assign(failed=failed_rows(frame, replayed=replayed))
        before, after = self.inside(frame, self.before), self.inside(frame, self.after)
        ends = before["time_unix_nano"].to_numpy() + before["duration_ns"].to_numpy()
        routes = _route_names(frame, by_route=replayed)
        return _responses(before[ends < self.before.end_ns], routes), _responses(_not_cut_off(after), routes)

    @cached_property
    def servers(self) -> tuple[Any, Any]:
        """SERVER spans of both windows, with `failed` and `ms`."""
        return self._spans("SERVER")

    @cached_property
    def clients(self) -> tuple[Any, Any]:
        """CLIENT spans of both windows, with `failed`, `ms` and `peer`: whom they call."""
        before, after = self._spans("CLIENT")
        return before.assign(peer=_peers(before)), after.assign(peer=_peers(after))

    def served(self, service: str) -> tuple[Any, Any]:
        """SERVER spans of one service in both windows."""
        return _part(self._served, service, self.servers)

    def called(self, service: str) -> tuple[Any, Any]:
        """CLIENT spans of calls to one service in both windows."""
        return _part(self._called, service, self.clients)

    @cached_property
    def answered(self) -> dict[str, set[str]]:
        """Per service the ids of the spans that have one of its SERVER spans below them, at any time of the case."""
        frame = self.view.frames["traces"]
        frame = frame[frame["span_kind"] == "SERVER"]
        return {str(name): set(ids) for name, ids in frame.groupby("service_name", observed=True)["parent_span_id"]}

    @cached_property
    def own_times(self) -> tuple[Any, Any]:
        """Spans that did not fail with `own_ms`, the time outside the spans below them, and `owner`, who spends it.

        A call to a service without spans of its own (a store) is that service's time. Spans whose children overlap in
        time, so that nothing would be left, are not there.
        """
        frame = self.view.frames["traces"]
        below = frame.groupby("parent_span_id", observed=True)["duration_ns"].sum()
        return _own(self.servers[0], self.clients[0], below), _own(self.servers[1], self.clients[1], below)

    @cached_property
    def pace(self) -> float:
        """How many times slower the machine was in the second window: the typical change of other services' own times.

        A slow target does not slow the own time of those that wait for it. Failed spans and the target's are left out.
        At most MOST_PACE either way, so that a whole system grown slower still shows; 1 for faults of the whole host.
        """
        import numpy as np

        scenario = self.view.scenario
        if scenario.fault.host_wide:
            return 1.0
        before, after = (rows[(rows["owner"] != scenario.target) | scenario.is_control] for rows in self.own_times)
        kinds = ["owner", "service_name", "span_name"]
        left, right = (rows.groupby(kinds, observed=True)["own_ms"].agg(["median", "size"]) for rows in (before, after))
        both = left.add_suffix("_before").join(right.add_suffix("_after"), how="inner")
        both = both[(both["size_before"] >= MIN_ROWS) & (both["size_after"] >= MIN_ROWS) & (both["median_before"] > 0)]
        if len(both) < LEAST_KINDS:
            return 1.0
        ratios = (both["median_after"] / both["median_before"]).to_numpy()
        return float(np.clip(np.median(ratios), 1 / MOST_PACE, MOST_PACE))

    @cached_property
    def error_lines(self) -> tuple[Any, Any]:
        """Log lines of severity ERROR and above in both windows."""
        before, after = self.pair("logs")
        return before[before["severity_number"].fillna(0) >= ERROR], after[after["severity_number"].fillna(0) >= ERROR]

    @cached_property
    def scrapes(self) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        """Times and values of each (service, metric), summed over its attributes at each scrape."""
        frame = self.view.frames["metrics"]
        sums = frame.groupby(["service_name", "metric_name", "time_unix_nano"], observed=True, sort=True)["value"].sum()
        flat = sums.reset_index()
        return {
            (str(service), str(metric)): (rows["time_unix_nano"].to_numpy(), rows["value"].to_numpy(dtype=float))
            for (service, metric), rows in flat.groupby(["service_name", "metric_name"], observed=True)
        }

    @cached_property
    def instances(self) -> Any:
        """Each instance of each service in the metrics, with when it was seen first and last."""
        frame = self.view.frames["metrics"]
        frame = frame[frame["service_instance_id"].fillna("") != ""]
        times = frame.groupby(["service_name", "service_instance_id"], observed=True)["time_unix_nano"]
        return times.agg(["min", "max"]).reset_index()

    @cached_property
    def _served(self) -> tuple[dict[str, Any], dict[str, Any]]:
        before, after = self.servers
        return _grouped(before, "service_name"), _grouped(after, "service_name")

    @cached_property
    def _called(self) -> tuple[dict[str, Any], dict[str, Any]]:
        before, after = self.clients
        return _grouped(before, "peer"), _grouped(after, "peer")

    @cached_property
    def _traces(self) -> tuple[Any, Any]:
        return self.pair("traces")

    def _spans(self, kind: str) -> tuple[Any, Any]:
        before, after = self._traces
        before = before[before["span_kind"] == kind]
        ends = before["time_unix_nano"].to_numpy() + before["duration_ns"].to_numpy()
        before, after = before[ends < self.before.end_ns], after[after["span_kind"] == kind]
        return _timed(before), _timed(after)

    def stretch(self, rows: Any, values: Any, window: Window) -> Stretch:
        """A figure of rows as times and values within a window."""
        import numpy as np

        times = (rows["time_unix_nano"].to_numpy() - window.start_ns) / 1e9
        return Stretch(times_s=times, values=np.asarray(values, dtype=float), length_s=window.length_s)


def fault_cut(view: CaseView) -> Cut | None:
    """Baseline against anomaly (a control: its stand-in); None when the case never got that far."""
    before = view.timeline.window(Phase.BASELINE)
    after = view.timeline.window(Phase.CONTROL if view.scenario.is_control else Phase.ANOMALY)
    if before is None or after is None or before.length_s <= 0 or after.length_s <= 0:
        return None
    return Cut(view=view, before=before, after=after)


def _own(servers: Any, clients: Any, below: Any) -> Any:
    """Own times of one window's spans; `below` is the total length of the spans under each span."""
    import numpy as np
    import pandas as pd

    spans = pd.concat([servers.assign(owner=servers["service_name"]), clients.assign(owner=clients["peer"])])
    lengths = below.to_dict()
    inside = np.array([lengths.get(span, np.nan) for span in spans["span_id"].tolist()], dtype=float)
    asked = ~np.isnan(inside) & (spans["span_kind"] == "CLIENT").to_numpy(dtype=bool)
    own = spans["duration_ns"].to_numpy(dtype=float) - np.nan_to_num(inside)
    spans = spans.assign(own_ms=own / 1e6)
    return spans[(own > 0) & ~asked & ~spans["failed"].to_numpy(dtype=bool)]


def member(column: Any, names: Collection[str]) -> np.ndarray:
    """Whether each value of a column is one of the names (much faster than isin for Arrow strings)."""
    import numpy as np

    return np.fromiter((value in names for value in column.tolist()), dtype=bool, count=len(column))


def _part(grouped: tuple[dict[str, Any], dict[str, Any]], name: str, whole: tuple[Any, Any]) -> tuple[Any, Any]:
    return grouped[0].get(name, whole[0].iloc[:0]), grouped[1].get(name, whole[1].iloc[:0])


def _grouped(frame: Any, column: str) -> dict[str, Any]:
    return {str(name): rows for name, rows in frame.groupby(column, observed=True)}


def _not_cut_off(frame: Any) -> Any:
    """Without requests that had hardly begun when the workload ended (CUT_OFF_S): nobody knows how they would end."""
    cut_off = (frame["error_kind"] == "cancelled").to_numpy() & (frame["duration_ns"].to_numpy() < CUT_OFF_S * 1e9)
    return frame[~cut_off]


def _route_names(frame: Any, *, by_route: bool) -> dict[tuple[str, str, str], str]:
    """What to call each (journey, method, route): the journey alone when it has one request only."""
    keys = list(frame[["journey", "method", "route"]].drop_duplicates().itertuples(index=False, name=None))
    if by_route:
        return {key: f"{key[1]} {key[2]}" for key in keys}
    journeys = [journey for journey, _, _ in keys]
    return {key: key[0] if journeys.count(key[0]) == 1 else " ".join(map(str, key)) for key in keys}


def _responses(frame: Any, routes: dict[tuple[str, str, str], str]) -> Any:
    keys = [routes[key] for key in zip(frame["journey"], frame["method"], frame["route"], strict=True)]
    return frame.assign(key=keys, ms=frame["duration_ns"].to_numpy() / 1e6)


def _timed(frame: Any) -> Any:
    return frame.assign(ms=frame["duration_ns"].to_numpy() / 1e6, failed=(frame["status_code"] == "ERROR").to_numpy())


def _peers(frame: Any) -> list[str]:
    """The called service of each CLIENT span; empty where it is not said."""
    known: dict[str, str] = {}
    peers = []
    for text in frame["attributes"].fillna(""):
        peer = known.get(text)
        if peer is None:
            found = _PEER.search(text)
            peer = known[text] = found.group(1) if found else ""
        peers.append(peer)
    return peers

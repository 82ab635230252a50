"""Two windows of a case side by side: the rows of each modality in the one and in the other."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.statistics import Stretch
from pytest_anomod.model.timeline import Phase, Window
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

_PEER = re.compile(r'"peer\.service":\s*"([^"]+)"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut:
    """The rows of two windows; rows with a length count where they start."""

    view: CaseView
    before: Window
    after: Window

    def rows(self, modality: str, window: Window) -> Any:
        """The rows of a modality that begin in a window, in time order."""
        frame = self.view.frames[modality]
        times = frame["time_unix_nano"].to_numpy()
        return frame[(times >= window.start_ns) & (times < window.end_ns)].sort_values("time_unix_nano", kind="stable")

    def pair(self, modality: str) -> tuple[Any, Any]:
        """The rows of a modality in both windows."""
        return self.rows(modality, self.before), self.rows(modality, self.after)

    @cached_property
    def responses(self) -> tuple[Any, Any]:
        """API responses of both windows with `failed`, `key` and `ms`; in the first only those that also ended in it.

        What began in the baseline and ended in the onset belongs to neither.
        """
        before, after = self.pair("api_responses")
        ends = before["time_unix_nano"].to_numpy() + before["duration_ns"].to_numpy()
        routes = _route_names(self.view.frames["api_responses"])
        return _responses(before[ends < self.before.end_ns], routes), _responses(after, routes)

    @cached_property
    def servers(self) -> tuple[Any, Any]:
        """SERVER spans of both windows, with `failed` and `ms`."""
        return self._spans("SERVER")

    @cached_property
    def clients(self) -> tuple[Any, Any]:
        """CLIENT spans of both windows, with `failed`, `ms` and `peer`: whom they call."""
        before, after = self._spans("CLIENT")
        return before.assign(peer=_peers(before)), after.assign(peer=_peers(after))

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


def failed_responses(frame: Any) -> np.ndarray:
    """True for API responses that are no success: no answer, an error on the way, or a status of 400 and above."""
    status = frame["status_code"].fillna(0).to_numpy()
    return (status == 0) | (status >= 400) | (frame["error_kind"].fillna("") != "").to_numpy()


def _route_names(frame: Any) -> dict[tuple[str, str, str], str]:
    """What to call each (journey, method, route): the journey alone when it has one request only."""
    keys = list(frame[["journey", "method", "route"]].drop_duplicates().itertuples(index=False, name=None))
    journeys = [journey for journey, _, _ in keys]
    return {key: key[0] if journeys.count(key[0]) == 1 else " ".join(map(str, key)) for key in keys}


def _responses(frame: Any, routes: dict[tuple[str, str, str], str]) -> Any:
    keys = [routes[key] for key in zip(frame["journey"], frame["method"], frame["route"], strict=True)]
    return frame.assign(key=keys, ms=frame["duration_ns"].to_numpy() / 1e6, failed=failed_responses(frame))


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

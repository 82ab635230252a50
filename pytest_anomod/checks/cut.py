"""Two windows of a case side by side: the rows of each modality in the one and in the other."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_anomod.checks.spans import put_asked, responses, spans
from pytest_anomod.checks.statistics import MIN_ROWS
from pytest_anomod.checks.tables import Rows, group_medians, kept, table
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut:
    """The rows of two windows; rows with a length count where they start."""

    view: CaseView
    before: Window
    after: Window

    def pair(self, modality: str) -> tuple[Rows, Rows]:
        """The rows of a modality that begin in each window."""
        rows = table(self.view, modality)
        return rows.inside(self.before), rows.inside(self.after)

    @cached_property
    def responses(self) -> tuple[Rows, Rows]:
        """API responses of both windows; in the first only those that also ended in it.

        What began in the baseline and ended in the onset belongs to neither. Requests that had hardly begun when the
        workload ended (CUT_OFF_S) are left out: how they would have ended is unknown.
        """
        responses(self.view)
        before, after = self.pair("api_responses")
        kinds = after.table.labels("error_kind")
        cancelled = after.codes("error_kind") == kinds.code("cancelled")
        return self._ended(before), after.where(~(cancelled & (after["duration_ns"] < CUT_OFF_S * 1e9)))

    @cached_property
    def servers(self) -> tuple[Rows, Rows]:
        """SERVER spans of both windows."""
        return self._spans("SERVER")

    @cached_property
    def clients(self) -> tuple[Rows, Rows]:
        """CLIENT spans of both windows."""
        return self._spans("CLIENT")

    def known(self, rows: Rows) -> Rows:
        """The rows without those of a suite's steps that the first window does not have: nothing is usual there.

        They count in rates alone, because a round of the suite may be longer than a window.
        """
        import numpy as np

        if not self.view.scenario.workload.closed_loop or "asked" not in rows.table:
            return rows
        asked = rows["asked"]
        return rows.where((asked < 0) | np.isin(asked, self._seen))

    def served(self, service: str) -> tuple[Rows, Rows]:
        """SERVER spans of one service in both windows."""
        return _part(self._served, service, self.servers)

    def called(self, service: str) -> tuple[Rows, Rows]:
        """CLIENT spans of calls to one service in both windows."""
        return _part(self._called, service, self.clients)

    @cached_property
    def pace(self) -> float:
        """How many times slower the machine was in the second window: the typical change of other services' own times.

        A slow target does not slow the own time of those that wait for it. Failed spans and the target's are left out.
        At most MOST_PACE either way, so that a whole system grown slower still shows; 1 for faults of the whole host.
        """
        import numpy as np

        if self.view.scenario.host_wide:
            return 1.0
        known = [tuple(map(self.known, rows)) for rows in zip(self.servers, self.clients, strict=True)]
        sides = [self._own_times(server, client) for server, client in known]
        enough = (sides[0][1] >= MIN_ROWS) & (sides[1][1] >= MIN_ROWS) & (sides[0][0] > 0)
        if int(enough.sum()) < LEAST_KINDS:
            return 1.0
        ratios = sides[1][0][enough] / sides[0][0][enough]
        return float(np.clip(np.median(ratios), 1 / MOST_PACE, MOST_PACE))

    @cached_property
    def error_lines(self) -> tuple[Rows, Rows]:
        """Log lines of severity ERROR and above in both windows."""
        put_asked(self.view, table(self.view, "logs"))
        before, after = self.pair("logs")
        return before.where(before["severity_number"] >= ERROR), after.where(after["severity_number"] >= ERROR)

    @cached_property
    def response_multiples(self) -> np.ndarray:
        """Of each response its duration as a multiple of its key's median in the first window; NaN for rare keys."""
        return self._multiples(self.responses[0], responses(self.view).labels("key").codes)

    @cached_property
    def server_multiples(self) -> np.ndarray:
        """The same of each SERVER span and its kind."""
        return self._multiples(self.servers[0], spans(self.view)["kind"])

    @cached_property
    def client_multiples(self) -> np.ndarray:
        """The same of each CLIENT span and its kind."""
        return self._multiples(self.clients[0], spans(self.view)["kind"])

    @cached_property
    def _seen(self) -> np.ndarray:
        """Numbers of the suite's steps that were asked in the first window, and answered there."""
        import numpy as np

        return np.unique(self.responses[0]["asked"])

    @cached_property
    def _served(self) -> tuple[dict[str, Rows], dict[str, Rows]]:
        before, after = self.servers
        return before.split("service_name"), after.split("service_name")

    @cached_property
    def _called(self) -> tuple[dict[str, Rows], dict[str, Rows]]:
        before, after = self.clients
        return before.split("peer"), after.split("peer")

    def _multiples(self, before: Rows, kinds: np.ndarray) -> np.ndarray:
        import numpy as np

        ms = before.table["ms"]
        medians, sizes = group_medians(kinds[before.at], before["ms"], int(kinds.max(initial=-1)) + 1)
        usual = np.where((sizes >= MIN_ROWS) & (medians > 0), medians, np.nan)
        return ms / usual[kinds]

    def _own_times(self, servers: Rows, clients: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Median and number of own times of each kind of span that is not the target's (a control has no target)."""
        import numpy as np

        rows = spans(self.view)
        at = np.concatenate((servers.at, clients.at))
        owners = rows.labels("owner")
        others = ~owners.among(self.view.scenario.targets)[at]
        at = at[~np.isnan(rows["own_ms"][at]) & (others | self.view.scenario.is_control)]
        return group_medians(rows["kind"][at], rows["own_ms"][at], int(rows["kind"].max(initial=-1)) + 1)

    def _spans(self, kind: str) -> tuple[Rows, Rows]:
        spans(self.view)
        before, after = self.pair("traces")
        return self._ended(before.named("span_kind", kind)), after.named("span_kind", kind)

    def _ended(self, before: Rows) -> Rows:
        return before.where(before.table.times[before.at] + before["duration_ns"] < self.before.end_ns)


def fault_cut(view: CaseView) -> Cut | None:
    """Baseline against anomaly (a control: its stand-in); None when the case never got that far."""
    before = view.timeline.window(Phase.BASELINE)
    after = view.timeline.window(Phase.CONTROL if view.scenario.is_control else Phase.ANOMALY)
    if before is None or after is None or before.length_s <= 0 or after.length_s <= 0:
        return None
    return kept(view, "fault cut", lambda: Cut(view=view, before=before, after=after))


def _part(parts: tuple[dict[str, Rows], dict[str, Rows]], name: str, whole: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    return parts[0].get(name, whole[0].none), parts[1].get(name, whole[1].none)

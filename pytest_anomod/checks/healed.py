"""Has the system healed: fault out, rollback done, users served as before; and since when?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.tables import group_medians, kept
from pytest_anomod.model import journal as names
from pytest_anomod.model.settled import BLOCK_S, LATENCY_RATIO, SPARE_MS, Tail, tail_of
from pytest_anomod.model.timeline import Phase, Window
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, needs

if TYPE_CHECKING:
    import numpy as np


@needs("api_responses")
def check_healed(view: CaseView) -> Finding:
    """The probe saw the fault gone, the rollback worked, and the recovery window ends as the baseline was."""
    for one in () if view.scenario.is_control else view.each:
        if one.journal.activity(names.INJECT) is None:
            if one is view.each[0]:
                return _finding(Outcome.ABSENT, "nothing was injected, so nothing healed", {})
            continue
        for name, what in ((names.RECOVER, "taking the fault out"), (names.GONE, "seeing it gone")):
            activity = one.journal.activity(name)
            if activity is None or not activity.succeeded:
                why = (activity.error if activity else "") or "it was not played, or the fault was still seen"
                where = f" of {one.scenario.what}" if view.scenario.further else ""
                busy = activity is not None and activity.too_busy
                outcome = Outcome.ABSENT if busy else Outcome.BROKEN
                return _finding(outcome, f"{what}{where} failed: {busy or why}", {})
    if names.RECOVERY in view.journal.refused:
        return _finding(Outcome.ABSENT, "no recovery was watched: what came before it failed", {})
    blocks = _recovery(view)
    if blocks is None:
        watched = view.journal.activity(names.RECOVERY)
        too_busy = watched is not None and isinstance(watched.output, Mapping) and watched.output.get("too_busy")
        outcome = Outcome.ABSENT if too_busy else Outcome.BROKEN
        return _finding(outcome, "there is no recovery window with requests in it to compare", {})
    tail = blocks.tail()
    evidence = {
        "tail_s": round(tail.length_s, 3),
        "baseline_errors": blocks.usual_errors,
        "tail_errors": tail.errors,
        "tail_requests": tail.rows,
        "latency_ratio": round(tail.ratio, 3),
        "steady_again_unix_nano": blocks.steady_again(),
    }
    if tail.rows == 0:
        return _finding(
            Outcome.ABSENT, f"no request was made in the last {tail.length_s:.1f} s of the recovery", evidence
        )
    if not tail.settled(blocks.usual_errors):
        return _finding(Outcome.ABSENT, f"not back to normal: {tail.sentence()}", evidence)
    again = blocks.steady_again()
    event = "recovery began" if view.scenario.is_control else "the fault was gone"
    since = f", steady {(again - blocks.window.start_ns) / 1e9:.1f} s after {event}" if again else ""
    return _finding(Outcome.PROVEN, tail.sentence() + since, evidence)


def steady_again(view: CaseView) -> int | None:
    """First moment of the recovery from which errors and latencies are like the baseline's; None when there is none."""
    blocks = _recovery(view)
    return None if blocks is None else blocks.steady_again()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Recovery:
    """Requests of the recovery: start in seconds, failed or not, duration in multiples of their kind's baseline.

    The multiple is NaN for what the baseline does not know.
    """

    window: Window
    asked_s: float
    times_s: np.ndarray
    failed: np.ndarray
    slow: np.ndarray
    usual_errors: float

    def tail(self) -> Tail:
        """The window's end, by the rule that ended it."""
        return tail_of(
            self.times_s.tolist(), self.failed.tolist(), self.slow.tolist(),
            window_s=self.window.length_s, recovery_s=self.asked_s,
        )  # fmt: skip

    def steady_again(self) -> int | None:
        """The first block after the last failed request (a tolerated few aside) with answers as fast as usual."""
        import numpy as np

        bad = self.times_s[self.failed]
        spare = int(self.usual_errors * len(self.times_s))
        last_bad = float(bad[-1 - spare]) if len(bad) > spare else -1.0
        starts = np.arange(0.0, max(self.window.length_s, BLOCK_S), BLOCK_S)
        for start in starts:
            inside = (self.times_s >= start) & (self.times_s < start + BLOCK_S)
            if start + BLOCK_S <= last_bad or not inside.any():
                continue
            since = max(float(start), last_bad + 1e-6)
            rows = self.slow[inside & (self.times_s >= since) & ~np.isnan(self.slow)]
            if len(rows) and float(np.median(rows)) <= LATENCY_RATIO:
                return self.window.start_ns + int(since * 1e9)
        return None


def _recovery(view: CaseView) -> _Recovery | None:
    """Requests after the fault against those of the baseline; None without both."""
    return kept(view, "recovery", lambda: _read_recovery(view))


def _read_recovery(view: CaseView) -> _Recovery | None:
    import numpy as np

    window, baseline = view.timeline.last(Phase.RECOVERY), view.timeline.window(Phase.BASELINE)
    if window is None or baseline is None or window.length_s <= 0:
        return None
    cut = Cut(view=view, before=baseline, after=window)
    before, after = cut.responses
    if not len(before) or not len(after):
        return None
    keys = before.table.labels("key")
    usual, _ = group_medians(before.codes("key"), before["ms"], len(keys.names))
    slow = after["ms"] / (usual[after.codes("key")] + SPARE_MS) / max(1.0, cut.pace)
    slow[~np.isin(after.at, cut.known(after).at)] = np.nan
    return _Recovery(
        window=window,
        asked_s=view.scenario.durations.recovery_s,
        times_s=(after["time_unix_nano"] - window.start_ns) / 1e9,
        failed=after["failed"],
        slow=slow,
        usual_errors=float(before["failed"].mean()),
    )


def _finding(outcome: Outcome, message: str, evidence: dict[str, Any]) -> Finding:
    return Finding(check="healed", question="healed", outcome=outcome, message=message, evidence=evidence)

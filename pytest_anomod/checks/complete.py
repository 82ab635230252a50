"""Is the case complete: rows in every window of all modalities that the system has, none lost, the declared load?"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_anomod.checks.lost import lost_spans
from pytest_anomod.checks.tables import Table, table
from pytest_anomod.model import journal as names
from pytest_anomod.model.modality import MODALITIES, in_order
from pytest_anomod.model.timeline import QUIET, Phase, Window
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

OURS = "api_responses"
"""The modality that every case has: our own workload records it."""

SHORT_S = 0.5
"""Windows shorter than this may lack rows of a modality that samples once a second or logs little."""

DROPPED_SHARE = 0.001
OTHERS_DROPPED_SHARE = 0.05
"""The same where nobody has to send anything: what others send and write may be in forms that nobody can read."""

JOINED_SHARE = 0.99
STEADY_LOAD_SHARE = 0.7
"""Least arrivals of a window against those of the baseline: the open-loop workload must not have been held up."""

WINDOWS = (*QUIET, Phase.ONSET, Phase.ANOMALY, Phase.RELEASE, Phase.RECOVERY)


def check_complete(view: CaseView) -> Finding:
    """Count rows per modality and window, losses, arrivals and joins.

    What a machine that is too busy can cause is absent: rows that are not there, requests that came late. All else is
    broken.
    """
    failed = [f"while recording: {problem}" for problem in _mishaps(view)]
    given = {name: why for name, why in view.absent.items() if name != OURS}
    failed += [f"the modality {name} is missing" for name in MODALITIES if name not in {*view.frames, *given}]
    counts = {name: _counts(table(view, name)) for name in in_order(view.frames)}
    losses = _empty_windows(view, counts)
    failed += _ended_early(view) if losses else []
    losses += _losses(view)
    joined, answered = _joined(view)
    if answered and joined < JOINED_SHARE * answered:
        losses.append(
            f"only {joined} of {answered} answers have a trace ({joined / answered:.1%}, {JOINED_SHARE:.0%} needed)"
        )
    rates = _rates(view) if OURS in counts else {}
    if not view.scenario.workload.closed_loop:
        losses += _load_problems(rates)
    totals = ", ".join(f"{name} {sum(rows.values()):,}" for name, rows in counts.items())
    traced = f"{joined} of {answered} answers have a trace" if answered else "no answer is asked for a trace"
    rest = f"not there: {', '.join(given)}" if given else "nothing is missing"
    lost = lost_spans(view)
    gone = f"; at least {lost} spans were lost" if lost else ""
    message = "; ".join([*failed, *losses]) or f"rows: {totals}; {traced}{gone}; {rest}"
    return Finding(
        check="complete", question="complete", message=message,
        outcome=Outcome.BROKEN if failed else Outcome.ABSENT if losses else Outcome.PROVEN,
        evidence={"rows": counts, "dropped": dict(view.dropped), "arrivals_per_second": rates, "joined": joined,
                  "answered": answered, "spans_lost_at_least": lost, "absent": given},
    )  # fmt: skip


def _mishaps(view: CaseView) -> list[str]:
    """What went wrong while the case was played, except what another check reports.

    That is a fault that did not get in (`mechanism`) and a machine that was too busy for an activity (`calm`).
    Activities that were not played for one of these reasons are left out too.
    """
    failed = [activity for activity in view.journal.played if not activity.succeeded]
    told = [one.name for one in failed if one.too_busy]
    told += [one.name for one in failed[:1] if names.unnumbered(one.name)[0] in (names.INJECT, names.SEEN)]
    known = [f"{name} failed: " for name in told]
    if failed and failed[0].name in told:
        known.append("not played because of what failed before: ")
    return [problem for problem in view.problems if not problem.startswith(tuple(known))]


def _counts(rows: Table) -> dict[str, int]:
    """Rows by phase, most first."""
    import numpy as np

    phases = rows.labels("phase")
    counts = np.bincount(phases.codes[phases.codes >= 0], minlength=len(phases.names)).tolist()
    return dict(sorted(zip(phases.names, counts, strict=True), key=lambda entry: -entry[1]))


def _empty_windows(view: CaseView, counts: dict[str, dict[str, int]]) -> list[str]:
    """Windows without rows of a modality; a window in which nobody was answered may well have no logs and no traces.

    A window may also have no request if the workload is a closed loop that waits for one answer throughout. Modalities
    that may be silent are left out.
    """
    problems = []
    counts = {name: rows for name, rows in counts.items() if name not in view.may_be_silent}
    for window in _watched(view, SHORT_S):
        empty = [name for name, rows in counts.items() if not rows.get(str(window.phase))]
        if empty and not _answered(view, window):
            silent = {"logs", "traces"} | ({OURS} if _held_up(view, window) else set())
            empty = [name for name in empty if name not in silent]
        problems += [f"no rows of {name} in the {window.phase} window of {window.length_s:.1f} s" for name in empty]
    return problems


def _watched(view: CaseView, least_s: float) -> list[Window]:
    """The windows that must be whole; a recovery that was not played is only what was left until the end."""
    skipped = {Phase.RECOVERY} if names.RECOVERY in view.journal.refused else set()
    return [w for w in view.timeline.windows if w.phase in WINDOWS and w.phase not in skipped and w.length_s >= least_s]


def _answered(view: CaseView, window: Window) -> bool:
    if OURS not in view.frames:
        return True
    inside = table(view, OURS).all.named("phase", str(window.phase))
    return bool((inside["status_code"] > 0).any())


def _ended_early(view: CaseView) -> list[str]:
    """That the workload was over before the case was, if it says so."""
    ending = view.journal.activity(names.END_WORKLOAD)
    output = ending.output if ending is not None and isinstance(ending.output, Mapping) else {}
    summary = output.get("summary") or {}
    reason = str(summary.get("end_reason") or "stopped")
    if reason == "stopped":
        return []
    elapsed_s = summary.get("elapsed_s", 0)
    return [f"the workload ended by itself {elapsed_s:.1f} s after it began ({reason}); have it play longer"]


def _held_up(view: CaseView, window: Window) -> bool:
    """Whether a closed loop's request was under way from the window's first half second to its last."""
    if OURS not in view.frames or not view.scenario.workload.closed_loop:
        return False
    responses = table(view, OURS)
    ends, spare_ns = responses.times + responses["duration_ns"], int(SHORT_S * 1e9)
    return bool(((responses.times < window.start_ns + spare_ns) & (ends > window.end_ns - spare_ns)).any())


def _losses(view: CaseView) -> list[str]:
    problems = []
    for name, dropped in view.dropped.items():
        total = len(view.frames[name]) if name in view.frames else 0
        share = OTHERS_DROPPED_SHARE if name in view.may_be_silent else DROPPED_SHARE
        if dropped > share * (total + dropped):
            problems.append(f"{dropped} records of {name} were lost beside {total} taken ({share:.1%} may)")
    return problems


def _joined(view: CaseView) -> tuple[int, int]:
    """Answers whose trace is recorded, and all answers that must have one (the last half second may be on its way).

    Where nobody has to send spans, only services that send some are asked.
    """
    if "traces" not in view.frames:
        return 0, 0
    responses = table(view, OURS)
    ends = responses.times + responses["duration_ns"]
    answered = (responses["status_code"] > 0) & (ends < view.timeline.end_ns - 500_000_000)
    if "traces" in view.may_be_silent:
        answered &= responses.labels("service_name").among({*table(view, "traces").labels("service_name").names})
    recorded = responses.labels("trace_id").among({*table(view, "traces").labels("trace_id").names})
    return int((answered & recorded).sum()), int(answered.sum())


def _rates(view: CaseView) -> dict[str, float]:
    """Arrivals a second that were due in each window long enough to tell.

    Only first requests count: how many follow in a journey is up to the answers, and so to the fault.
    """
    responses = table(view, OURS)
    times = responses.times[responses["step"] <= 1]

    def rate(window: Window) -> float:
        return round(float(((times >= window.start_ns) & (times < window.end_ns)).sum() / window.length_s), 2)

    found: dict[str, float] = {}
    for window in _watched(view, 3.0):  # of several windows of a phase (faults in turn) the one with the fewest
        found[str(window.phase)] = min(rate(window), found.get(str(window.phase), float("inf")))
    return found


def _load_problems(rates: dict[str, float]) -> list[str]:
    usual = rates.get(str(Phase.BASELINE), 0.0)
    return [
        f"the workload fell behind: {rate:.1f} arrivals a second in the {phase} window, {usual:.1f} in the baseline"
        for phase, rate in rates.items()
        if rate < STEADY_LOAD_SHARE * usual - 1
    ]

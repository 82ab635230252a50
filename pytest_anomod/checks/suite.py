"""Is a suite served, or refused for lack of a login? Then nearly every answer is an error, in the baseline too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_anomod.checks.spans import responses
from pytest_anomod.model import journal as names
from pytest_anomod.model.failure import ERROR_STATUS
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, needs

UNKNOWN_USER = (401, 403)
LEAST = 10
"""Answers or tests below which a share says nothing."""


@needs("api_responses")
def check_suite(view: CaseView) -> Iterator[Finding]:
    """A warning where over half of a suite's answers are errors, where more requests are refused for want of a login
    than have one, or where over half of its tests fail with nothing broken.

    It decides no verdict: bad requests may be intended, and the fault is compared with what is usual.
    """
    if not view.scenario.workload.closed_loop:
        return
    statuses, summary = _statuses(view), _summary(view)
    outcomes: Mapping[str, int] = summary.get("outcomes") or {}
    message = _errors(statuses) or _unknown_user(summary) or (_failures(outcomes) if view.scenario.is_control else "")
    if message:
        evidence: dict[str, Any] = {
            "statuses": {str(status): count for status, count in statuses.most_common()},
            "outcomes": dict(outcomes),
        }
        yield Finding(check="suite", question="suite", outcome=Outcome.ABSENT, message=message, evidence=evidence)


def _statuses(view: CaseView) -> Counter[int]:
    """How often each status came in the baseline; what was never answered has none."""
    window = view.timeline.window(Phase.BASELINE)
    if window is None:
        return Counter()
    rows = responses(view).inside(window)
    return Counter(status for status in rows["status_code"].astype(int).tolist() if status)


def _summary(view: CaseView) -> Mapping[str, Any]:
    """What the workload itself says of the whole case; {} where it was never ended."""
    ending = view.journal.activity(names.END_WORKLOAD)
    output = ending.output if ending is not None and isinstance(ending.output, Mapping) else {}
    return output.get("summary") or {}


def _errors(statuses: Counter[int]) -> str:
    total, refused = statuses.total(), sum(statuses[status] for status in UNKNOWN_USER)
    errors = Counter({status: count for status, count in statuses.items() if status >= ERROR_STATUS})
    if total < LEAST or 2 * errors.total() <= total:
        return ""
    if 2 * refused > total:
        return f"over half of the answers are 401 or 403 ({refused:,} of {total:,} in the baseline): no login?"
    most = ", ".join(f"{count:,} with {status}" for status, count in errors.most_common(3))
    return (
        f"over half of the answers are errors ({errors.total():,} of {total:,} in the baseline: {most}): "
        "does the suite fit this system, its data and its login?"
    )


def _unknown_user(summary: Mapping[str, Any]) -> str:
    refused, known = int(summary.get("refused_without_login", 0)), int(summary.get("with_login", 0))
    if refused < LEAST or refused <= known:
        return ""
    return (
        f"{refused:,} of {int(summary['requests']):,} requests were refused with 401 or 403 and had no login, "
        f"and {known:,} had one: no login?"
    )


def _failures(outcomes: Mapping[str, int]) -> str:
    failed, total = int(outcomes.get("failed", 0)), sum(map(int, outcomes.values()))
    if total < LEAST or 2 * failed <= total:
        return ""
    return (
        f"over half of the suite's tests failed with nothing broken ({failed:,} of {total:,}): no login? "
        "the first messages are in journal.json, end-workload"
    )

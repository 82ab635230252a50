"""The ground truth of a case: what was broken, where, when, how; flat, one row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.model.fault import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Ground truth of one case; times in UTC nanoseconds, None where the case never got there (or is a control)."""

    case_id: str
    scenario: str
    system: str
    runtime: str
    injector: str
    level: str
    fault: str
    parameters: Mapping[str, Json]
    target: str
    root_cause_service: str | None
    root_cause_instances: tuple[str, ...]
    root_cause_code_file: str | None
    root_cause_code_function: str | None
    root_cause_code_first_line: int | None
    root_cause_code_last_line: int | None
    inject_start_unix_nano: int | None
    seen_unix_nano: int | None
    recover_start_unix_nano: int | None
    gone_unix_nano: int | None
    steady_again_unix_nano: int | None
    held_ratio: float | None
    seed: int
    rate_rps: float
    target_rps: float | None = None
    """Requests a second that passed through the target in the baseline (statements, for a database)."""
    workload: str = "open_loop"
    """Which workload drove the system: open_loop, or suite:FILE."""
    versions: Mapping[str, str]
    verdict: str
    expects: str
    attempt: int = 1
    """1, or more where an earlier attempt was contaminated and the scenario was played again."""
    replaces: str | None = None
    """The case_id of the attempt before."""
    absent: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    """Modalities that the case lacks because its system has no source of them, and why."""

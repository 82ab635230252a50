"""The ground truth of a case: what was broken, where, when, how; flat, one row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.model.fault import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RootCause:
    """One of the faults of a compound case; the fields are the label's own."""

    fault: str
    parameters: Mapping[str, Json]
    severity: int | None
    level: str
    root_cause_service: str
    root_cause_instances: tuple[str, ...]
    root_cause_kind: str
    root_cause_code_file: str | None = None
    root_cause_code_function: str | None = None
    root_cause_code_first_line: int | None = None
    root_cause_code_last_line: int | None = None
    inject_start_unix_nano: int | None = None
    seen_unix_nano: int | None = None
    recover_start_unix_nano: int | None = None
    gone_unix_nano: int | None = None
    held_ratio: float | None = None
    fault_edges: tuple[str, ...] = ()
    propagation_path: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Ground truth of one case; times in UTC nanoseconds, None where the case never got there (or is a control).

    Of a compound case `root_causes` has all that was broken, in order; the fields beside it are of the first fault, but
    for `held_ratio` (the least) and the services that it came to (of all of them). Faults at once share their times.

    What comes after `versions` is None (or empty) in cases that were written before labels had it.
    """

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
    severity: int | None = None
    """The step of the fault's dial, 1 to 5; None where the scenario asked for none."""
    root_cause_kind: str | None = None
    """Where the root cause lies: code (then root_cause_code_* say where), edge (then fault_edges do), or service."""
    fault_edges: tuple[str, ...] | None = None
    """Calls that the fault lies on, as caller->callee, where it is in no service but between two."""
    propagation_path: tuple[str, ...] | None = None
    """Services from the root cause on over which most of the bad answers went; "@users" last, if proven so far."""
    propagation_edges: tuple[str, ...] | None = None
    """Every proven step that made answers worse, as cause->effect (which is callee->caller)."""
    reaches_user: str | None = None
    """yes, no or unknown: whether the fault reached users by a way that is proven; None for a control."""
    affected_services: tuple[str, ...] | None = None
    """The services that were worse off: the root cause and all that it reached."""
    unknown_services: tuple[str, ...] | None = None
    """Services of which nothing says whether they were."""
    usable: bool | None = None
    """False where the label can't be relied on, for the reasons in unusable_because."""
    unusable_because: tuple[str, ...] | None = None
    split: str | None = None
    """train, calibration or test (model/standing.py)."""
    root_cause_services: tuple[str, ...] | None = None
    """All services that are root causes: one, several in a compound case, none in a control."""
    root_causes: tuple[RootCause, ...] | None = None
    """The faults of a compound case; None where there is one or none."""
    in_turn: bool | None = None
    """Of a compound case whether one fault came after the other; else all were in at once."""
    suite: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    """What the reference round of a suite, or of a file's journeys, chose to play, and why; {} for other workloads."""

    @property
    def causes(self) -> tuple[RootCause, ...]:
        """All root causes, whatever their number."""
        if self.root_causes or self.root_cause_service is None:
            return self.root_causes or ()
        mine = {field.name: getattr(self, field.name) for field in dataclasses.fields(RootCause)}
        empty = {name: mine[name] or () for name in ("fault_edges", "propagation_path")}
        return (RootCause(**{**mine, **empty, "root_cause_kind": mine["root_cause_kind"] or "service"}),)

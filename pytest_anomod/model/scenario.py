"""A scenario: the typed declaration of one anomaly, and the lengths of its windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Json, Level, parameters
from pytest_anomod.model.workload import Workload


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Lengths of the windows that are waited for, in seconds; onset and release take what they take."""

    warmup_s: float
    baseline_s: float
    anomaly_s: float
    recovery_s: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or not 0 < value <= 7_200:
                msg = f"{field.name}={value!r} must be above 0 and at most 7200 s"
                raise ScenarioError(msg)

    def scaled(self, factor: float) -> Durations:
        """All lengths times `factor`."""
        return Durations(**{f.name: getattr(self, f.name) * factor for f in dataclasses.fields(self)})


PROFILES: Mapping[str, Durations] = {
    "quick": Durations(warmup_s=3, baseline_s=10, anomaly_s=10, recovery_s=5),
    "standard": Durations(warmup_s=15, baseline_s=60, anomaly_s=60, recovery_s=30),
    "paper": Durations(warmup_s=60, baseline_s=300, anomaly_s=300, recovery_s=120),
}
"""Named lengths; `paper` matches the 300 s faults of AnoMod."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to break where, under which load, for how long, and what we expect to find.

    `expects` is the verdict that passes the test: effective, tolerated, silent, or normal for a control. `severity` is
    the step of the fault's dial, from 1 (just at the edge of what users notice) to 5 (outage); None when none was asked.
    """

    name: str
    system: str
    fault: Fault
    target: str
    level: Level
    workload: Workload
    durations: Durations
    seed: int
    expects: str
    severity: int | None = None

    @property
    def is_control(self) -> bool:
        """True when nothing is injected."""
        return self.level is Level.NORMAL

    def to_json(self) -> dict[str, Json]:
        """The scenario as JSON; the fault as {"name": ..., parameters}."""
        return {
            "name": self.name,
            "system": self.system,
            "fault": {"name": self.fault.name, "parameters": parameters(self.fault)},
            "target": self.target,
            "level": str(self.level),
            "workload": dataclasses.asdict(self.workload),
            "durations": dataclasses.asdict(self.durations),
            "seed": self.seed,
            "expects": self.expects,
            "severity": self.severity,
        }

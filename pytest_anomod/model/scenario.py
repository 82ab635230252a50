"""A scenario: the typed declaration of one anomaly, and the lengths of its windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Json, Level, parameters
from pytest_anomod.model.workload import Workload, workload_from_json


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

    `expects` is the verdict that passes the test: effective, tolerated, silent, any of these ("any"), or normal for a
    control. `severity` is the step of the fault's dial, from 1 (at the edge of what users notice) to 5 (outage); None
    when none was asked for.
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

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Scenario:
        """The scenario that `to_json` wrote; ScenarioError names what is missing, unknown, or no longer fits.

        The fault is looked up by its name, with the parameters that are written down. Fields that scenarios got later
        have their default where the document lacks them.
        """
        try:
            made: dict[str, Json] = {
                **{field.name: document[field.name] for field in dataclasses.fields(cls) if field.name in document},
                "fault": catalog.make_fault(document["fault"]["name"], dict(document["fault"]["parameters"])),
                "level": Level(document["level"]),
                "workload": workload_from_json(document["workload"]),
                "durations": Durations(**document["durations"]),
            }
            return cls(**made)
        except (KeyError, TypeError, ValueError) as error:
            name = document.get("name") if isinstance(document, Mapping) else None
            msg = f"scenario {name!r} can't be read: {error!r}; another version of pytest-anomod wrote it"
            raise ScenarioError(msg) from error

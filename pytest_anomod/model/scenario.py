"""A scenario: the typed declaration of one anomaly, and the lengths of its windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Json, Level, parameters
from pytest_anomod.model.workload import Workload, workload_from_json

MOST_S = 7_200
"""Longest window."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Lengths of the windows that are waited for, in seconds; onset and release take what they take.

    `history_s` is recorded before the baseline, as more of the normal state; 0 for none.
    """

    warmup_s: float
    baseline_s: float
    anomaly_s: float
    recovery_s: float
    history_s: float = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, may_be_none = getattr(self, field.name), field.name == "history_s"
            is_long_enough = isinstance(value, int | float) and (value > 0 or (may_be_none and value == 0))
            if not is_long_enough or value > MOST_S:
                msg = (
                    f"{field.name}={value!r} must be {'at least' if may_be_none else 'above'} 0 and at most {MOST_S} s"
                )
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
class Injection:
    """One fault, the service that it goes into, and the step of its dial if one was asked for."""

    fault: Fault
    target: str
    severity: int | None = None

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        fault = {"name": self.fault.name, "parameters": parameters(self.fault)}
        return {"fault": fault, "target": self.target, "severity": self.severity}

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Injection:
        """What `to_json` wrote; the fault is looked up by its name."""
        fault = catalog.make_fault(document["fault"]["name"], dict(document["fault"]["parameters"]))
        return cls(fault=fault, target=document["target"], severity=document["severity"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to break where, under which load, for how long, and what we expect to find.

    `expects` is the verdict that passes the test: effective, tolerated, silent, any of these ("any"), or normal for a
    control. `severity` is the step of the fault's dial, from 1 (at the edge of what users notice) to 5 (outage); None
    when none was asked for. A compound scenario has `further` faults: all are in at once, or, `in_turn`, each is in
    after the one before is out and users are served again.
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
    further: tuple[Injection, ...] = ()
    in_turn: bool = False

    @property
    def is_control(self) -> bool:
        """True when nothing is injected."""
        return self.level is Level.NORMAL

    @property
    def injections(self) -> tuple[Injection, ...]:
        """All faults in their order: one, unless the scenario is compound."""
        return (Injection(fault=self.fault, target=self.target, severity=self.severity), *self.further)

    @property
    def targets(self) -> tuple[str, ...]:
        """The services that are hit, each once."""
        return tuple(dict.fromkeys(one.target for one in self.injections))

    @property
    def what(self) -> str:
        """What is put in where, such as "kill_service in a and http_delay in b"."""
        said = [f"{one.fault.name} in {one.target}" for one in self.injections]
        return (", then " if self.in_turn else " and ").join(said)

    @property
    def host_wide(self) -> bool:
        """Whether a fault reaches beyond its target's boundary."""
        return any(one.fault.host_wide for one in self.injections)

    def alone(self, number: int) -> Scenario:
        """The scenario as if the fault of that number, from 1, were the only one."""
        one = self.injections[number - 1]
        level = self.level if number == 1 else one.fault.level
        return dataclasses.replace(
            self, fault=one.fault, target=one.target, severity=one.severity, level=level, further=(), in_turn=False
        )

    def to_json(self) -> dict[str, Json]:
        """The scenario as JSON; the fault as {"name": ..., parameters}; `further` only of a compound one."""
        compound = {"further": [one.to_json() for one in self.further], "in_turn": self.in_turn}
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
            **(compound if self.further else {}),
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
                "further": tuple(map(Injection.from_json, document.get("further", ()))),
            }
            return cls(**made)
        except (KeyError, TypeError, ValueError) as error:
            name = document.get("name") if isinstance(document, Mapping) else None
            msg = f"scenario {name!r} can't be read: {error!r}; another version of pytest-anomod wrote it"
            raise ScenarioError(msg) from error

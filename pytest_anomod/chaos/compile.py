"""From a scenario to a Chaos Toolkit experiment: a plain, deterministic JSON document."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence

from pytest_anomod.model import catalog
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import FaultDefaults, Json
from pytest_anomod.model.scenario import Injection, Scenario
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.model.workload import Scripted, Suite

ACTIVITIES = "pytest_anomod.chaos.activities"
DOLLAR = "anomod_dollar"
"""Configuration key that stands for a dollar sign: Chaos Toolkit replaces every $name it knows in an argument."""
STORES = (ServiceKind.CACHE, ServiceKind.DOCSTORE, ServiceKind.QUEUE)
SLACK_S = 120.0
"""How much longer than its windows a case may take before its workload ends by itself."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How often and how long the experiment probes the fault, in seconds.

    A fault is seen (or gone) when it was there (or not) for `streak_s` and `looks` looks without a break.
    """

    streak_s: float = 1.2
    looks: int = 3
    every_s: float = 0.3
    seen_timeout_s: float = 8.0
    gone_timeout_s: float = 10.0
    hold_every_s: float = 0.75
    steady_window_s: float = 3.0
    warmup_share: float = 1.0
    """Of the scenario's warm-up: a system that has served a case before needs WARM of it."""
    patience_s: float = 60.0
    """How long a case may wait in all for a calm machine, and for users to be served again."""


USUAL = Tempo()
WARM = 1 / 3
"""First requests of a new deployment are slow for 1.5 s, those of a later case for 0.5 s or less (both replicas)."""


def usual(patience_s: float, *, is_warm: bool) -> Tempo:
    """The tempo of a case that may wait so long in all, on a system that has served a case before or not."""
    return dataclasses.replace(USUAL, patience_s=patience_s, warmup_share=WARM if is_warm else 1.0)


def compile_experiment(
    scenario: Scenario, ref: Mapping[str, Json], *, injector: str, records: str, tempo: Tempo = USUAL
) -> dict[str, Json]:
    """The experiment of a scenario against the deployment behind `ref`; equal arguments give equal documents.

    `injector` is the name of who carries the fault out, `records` the path of the file that the workload writes.
    ScenarioError when something in it is no JSON.
    """
    if scenario.is_control:
        method, rollbacks = _control(scenario, records)
    else:
        at = {"ref": dict(ref), "injector": injector, "records": records}
        steps = [_Steps(one, number, at, tempo) for number, one in enumerate(scenario.injections, start=1)]
        method, rollbacks = (_in_turn if scenario.in_turn else _at_once)(scenario, steps)
        method = [*_prepared(steps), *_normal(scenario, records), *method]
        rollbacks += _ending(scenario, records)
    document = {
        "title": scenario.name,
        "description": _description(scenario),
        "tags": [
            *(scenario.system, str(scenario.level)),
            *(tag for one in scenario.injections for tag in (one.fault.name, one.target)),
        ],
        "extensions": [{"name": "pytest-anomod", "injector": injector, "scenario": scenario.to_json()}],
        "steady-state-hypothesis": _hypothesis(scenario, ref, records, tempo),
        "method": method,
        "rollbacks": rollbacks,
    }
    try:
        # a copy through JSON: what is played is exactly what a file of it would say
        document = json.loads(json.dumps(document, allow_nan=False))
    except (TypeError, ValueError) as error:
        msg = f"scenario {scenario.name!r} can't be compiled, something in it is no JSON: {error}"
        raise ScenarioError(msg) from error
    return _without_dollars(document)


class _Steps:
    """The activities of one fault of a scenario; those of the second are called inject-2, seen-2 and so on."""

    def __init__(self, one: Injection, number: int, at: Mapping[str, Json], tempo: Tempo) -> None:
        self._number, self._at, self._tempo = number, at, tempo
        self.whom = {key: value for key, value in one.to_json().items() if key != "severity"}
        self.is_prepared = getattr(type(one.fault), "prepare", None) is not FaultDefaults.prepare
        self.streak = {"streak_s": tempo.streak_s, "looks": tempo.looks, "every_s": tempo.every_s}

    def prepare(self) -> dict[str, Json]:
        return self._made(_action, names.PREPARE)

    def inject(self) -> dict[str, Json]:
        return self._made(_action, names.INJECT)

    def seen(self) -> dict[str, Json]:
        return self._made(_probe, names.SEEN, self.streak | {"timeout_s": self._tempo.seen_timeout_s})

    def hold(self, anomaly_s: float, others: Sequence[_Steps] = ()) -> dict[str, Json]:
        both = {"others": [other.whom for other in others]} if others else {}
        times = {"anomaly_s": anomaly_s, "every_s": self._tempo.hold_every_s}
        return self._made(_probe, names.HOLD, times | both)

    def recover(self) -> dict[str, Json]:
        return self._made(_action, names.RECOVER)

    def again(self) -> dict[str, Json]:
        return self._made(_action, names.AGAIN, {"unless_gone": True}, function="recover")

    def gone(self) -> dict[str, Json]:
        return self._made(_probe, names.GONE, self.streak | {"timeout_s": self._tempo.gone_timeout_s})

    def between(self, recovery_s: float) -> dict[str, Json]:
        arguments = {"records": self._at["records"], "recovery_s": recovery_s}
        return _action(names.numbered(names.BETWEEN, self._number), "wait_recovery", arguments)

    def _made(
        self,
        kind: Callable[..., dict[str, Json]],
        name: str,
        more: Mapping[str, Json] | None = None,
        function: str = "",
    ) -> dict[str, Json]:
        arguments = {**self._at, **self.whom, **(more or {})}
        return kind(names.numbered(name, self._number), function or name, arguments)


Steps = list[dict[str, Json]]


def _at_once(scenario: Scenario, faults: Sequence[_Steps]) -> tuple[Steps, Steps]:
    """All go in before the window opens, and are held together; all go out, the last first, before any is looked for.

    Until all are out a service may be down, and that of another fault would not be seen to be well.
    """
    method = [step for fault in faults for step in (fault.inject(), fault.seen())]
    method.append(faults[0].hold(scenario.durations.anomaly_s, faults[1:]))
    last_first = faults[::-1]
    return method, [*(fault.recover() for fault in last_first), *(fault.gone() for fault in last_first)]


def _in_turn(scenario: Scenario, faults: Sequence[_Steps]) -> tuple[Steps, Steps]:
    """Each but the last is taken out by the method; should it not come to that, by the rollbacks."""
    method: Steps = []
    for fault in faults:
        method += [fault.inject(), fault.seen(), fault.hold(scenario.durations.anomaly_s)]
        if fault is not faults[-1]:
            method += [fault.recover(), fault.gone(), fault.between(scenario.durations.recovery_s)]
    return method, [*(fault.again() for fault in faults[:-1]), faults[-1].recover(), faults[-1].gone()]


def _prepared(faults: Sequence[_Steps]) -> Steps:
    return [fault.prepare() for fault in faults if fault.is_prepared]


def _normal(scenario: Scenario, records: str) -> Steps:
    """The normal state: the history, if one is asked for, and the baseline."""
    durations = scenario.durations
    history = _action(names.HISTORY, "wait_history", {"records": records, "history_s": durations.history_s})
    baseline = _action(names.BASELINE, "wait_baseline", {"baseline_s": durations.baseline_s, "records": records})
    return [history, baseline] if durations.history_s else [baseline]


def _control(scenario: Scenario, records: str) -> tuple[Steps, Steps]:
    hold = _probe(names.HOLD, "hold", {"anomaly_s": scenario.durations.anomaly_s, "records": records})
    return [*_normal(scenario, records), hold], _ending(scenario, records)


def _ending(scenario: Scenario, records: str) -> list[dict[str, Json]]:
    return [
        _action(names.RECOVERY, "wait_recovery", {"records": records, "recovery_s": scenario.durations.recovery_s}),
        _action(names.END_WORKLOAD, "end_workload", {"records": records}),
    ]


def _hypothesis(scenario: Scenario, ref: Mapping[str, Json], records: str, tempo: Tempo) -> dict[str, Json]:
    warm_up = {
        "ref": dict(ref),
        "workload": {"module": scenario.workload.module, "spec": _spec(scenario, tempo)},
        "records": records,
        "warmup_s": scenario.durations.warmup_s * tempo.warmup_share,
        "patience_s": tempo.patience_s,
    }
    steady = {"records": records, "window_s": min(tempo.steady_window_s, scenario.durations.warmup_s)}
    return {
        "title": "users are served as they should be",
        "probes": [
            # a list means: the answer's "status" is one of these
            _probe(names.WARM_UP, "warm_up", warm_up) | {"tolerance": ["warm"]},
            _probe(names.STEADY, "steady", steady) | {"tolerance": ["steady"]},
        ],
    }


def _spec(scenario: Scenario, tempo: Tempo) -> dict[str, Json]:
    """The specification of the workload; it gets the URL of the entry when it is started."""
    workload, durations = scenario.workload, scenario.durations
    return {
        "system": scenario.system,
        "rate_rps": workload.rate_rps or workload.usual_rps or catalog.find("systems", scenario.system).rate_rps,
        **workload.spec(),
        **_reference(scenario),
        "seed": scenario.seed,
        "deadline_s": sum(dataclasses.astuple(durations)) * len(scenario.injections) + tempo.patience_s + SLACK_S,
    }


def _reference(scenario: Scenario) -> dict[str, Json]:
    """What a suite that is played over and over, or a file's journeys, need to know for their reference round.

    {} for other workloads. A store may be in no trace: if the target is one, its callers count `instead`. So do further
    targets.
    """
    workload, durations = scenario.workload, scenario.durations
    if not isinstance(workload, Suite | Scripted) or (isinstance(workload, Suite) and workload.once):
        return {}
    system = catalog.find("systems", scenario.system)
    is_store = system.service(scenario.target).kind in STORES
    wish = {
        "target": scenario.target,
        "instead": [*(system.callers(scenario.target) if is_store else ()), *scenario.targets[1:]],
        "window_s": min(durations.baseline_s, durations.anomaly_s) if workload.closed_loop else None,
    }
    return {"reference": wish}


def _description(scenario: Scenario) -> str:
    if scenario.is_control:
        return f"Nothing is done to {scenario.system}: a control."
    return f"{scenario.what}, of {scenario.system}: seen, held, taken out, seen to be gone."


def _action(name: str, function: str, arguments: dict[str, Json]) -> dict[str, Json]:
    provider = {"type": "python", "module": ACTIVITIES, "func": function, "arguments": arguments}
    return {"type": "action", "name": name, "provider": provider}


def _probe(name: str, function: str, arguments: dict[str, Json]) -> dict[str, Json]:
    return _action(name, function, arguments) | {"type": "probe"}


def _without_dollars(document: dict[str, Json]) -> dict[str, Json]:
    """Spell every dollar sign of title and arguments as a configuration value, so that the toolkit gives it back."""
    spelled = {**document, "title": _spell(document["title"])}
    for part in ("method", "rollbacks"):
        spelled[part] = [_spell_arguments(activity) for activity in document[part]]
    hypothesis = document["steady-state-hypothesis"]
    spelled["steady-state-hypothesis"] = {
        **hypothesis,
        "probes": [_spell_arguments(probe) for probe in hypothesis["probes"]],
    }
    if spelled != document:
        spelled["configuration"] = {DOLLAR: "$"}
    return spelled


def _spell_arguments(activity: dict[str, Json]) -> dict[str, Json]:
    provider = activity["provider"]
    return {**activity, "provider": {**provider, "arguments": _spell(provider["arguments"])}}


def _spell(value: Json) -> Json:
    if isinstance(value, str):
        return value.replace("$", f"${{{DOLLAR}}}")
    if isinstance(value, list):
        return [_spell(item) for item in value]
    if isinstance(value, dict):
        return {key: _spell(item) for key, item in value.items()}
    return value

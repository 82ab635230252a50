"""What an experiment does, step by step: functions with JSON arguments that Chaos Toolkit calls by name.

Every argument is JSON and every function finds what it needs (runtime, injector, fault) by name, so that
`chaos run experiment.json` plays a case again without pytest.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.chaos import looks as looking
from pytest_anomod.chaos import reference, runs
from pytest_anomod.chaos import steady as steadiness
from pytest_anomod.chaos.runs import Run
from pytest_anomod.chaos.served import Served
from pytest_anomod.chaos.waiting import CalmDeadline, Patience, calm_window, pressure_since, unless_busy
from pytest_anomod.model import catalog, clock
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import InjectionError, NotPlayedError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Deployment

MORE_S = 0.5
"""By so much a recovery grows, from one look at the users to the next."""


def warm_up(
    ref: Mapping[str, Json], workload: Mapping[str, Json], records: str, warmup_s: float, patience_s: float = 0.0
) -> dict[str, Json]:
    """Start the workload and wait `warmup_s`; with one running already, answer at once.

    `patience_s` is how long the case may wait in all for a calm machine and for users to be served again.
    """
    with runs.watched():
        run = runs.find(records)
        if run is None:
            run = _start_workload(ref, workload, records)
            run.patience = Patience(patience_s)
            clock.sleep(warmup_s)
        answer: dict[str, Json] = {"status": "warm", "workload_start_unix_nano": run.start_ns}
        return answer | ({"suite": run.suite} if run.suite else {})


def steady(records: str, window_s: float) -> dict[str, Json]:
    """Whether users are served; the first call waits up to two windows for that, later ones compare with the first.

    BusyMachineError when they are not in time, on a machine that was too busy.
    """
    with runs.watched():
        run = runs.find(records)
        seen = steadiness.look(Path(records), window_s, run.steady if run else None)
        if run is None or run.steady is not None:
            return {**seen, "looks": 1}
        start_s = clock.monotonic_s()
        deadline, looks = CalmDeadline(2 * window_s, run.patience), 1
        while seen["status"] != "steady" and not deadline.over():
            clock.sleep(window_s / 4)
            seen, looks = steadiness.look(Path(records), window_s, None), looks + 1
        if seen["status"] == "steady":
            run.steady = seen
        else:
            deadline.blame(f"users were not served as they should be after the warm-up: {seen['status']}")
        return {**seen, "looks": looks, "waited_s": clock.monotonic_s() - start_s, **deadline.uncounted()}


def prepare(
    ref: Mapping[str, Json], injector: str, fault: Mapping[str, Json], target: str, records: str
) -> dict[str, Json]:
    """Bring the target into the state that the fault needs; `recover` undoes it.

    BusyMachineError when that fails on a machine that is too busy.
    """
    with runs.step(records, names.PREPARE), unless_busy(f"preparing {target} for {fault['name']}"):
        catalog.find("injectors", injector).prepare(_fault(fault), _attach(ref), target)
        return {"fault": fault["name"]}


def wait_history(records: str, history_s: float) -> dict[str, Json]:
    """Let more of the normal state be recorded, whatever the machine does meanwhile."""
    with runs.step(records, names.HISTORY):
        start_ns = clock.now_ns()
        clock.sleep(history_s)
        return {"waited_s": history_s, **_machine_since(start_ns)}


def wait_baseline(records: str, baseline_s: float) -> dict[str, Json]:
    """Let the normal state be recorded, on a calm machine; BusyMachineError when it does not get calm in time."""
    with runs.step(records, names.BASELINE) as run:
        start_ns = clock.now_ns()
        answer = calm_window(baseline_s, run.patience, lambda: runs.pass_edge("baseline"), "a baseline")
        run.baseline = (answer["from_unix_nano"] or start_ns, clock.now_ns())
        return answer


def inject(
    ref: Mapping[str, Json], injector: str, fault: Mapping[str, Json], target: str, records: str
) -> dict[str, Json]:
    """Inject the fault; return what was done, where in the code, and which instances the target had."""
    with runs.step(records, names.INJECT):
        deployment, thing = _attach(ref), _fault(fault)
        location = thing.locate(deployment, target)
        instances = [one.instance_id for one in deployment.instances(target)]
        done = catalog.find("injectors", injector).inject(thing, deployment, target)
        where = {"location": dataclasses.asdict(location) if location is not None else None, "instances": instances}
        answer: dict[str, Json] = _plain({**(done or {}), **where})
        return answer


def seen(
    ref: Mapping[str, Json],
    injector: str,
    fault: Mapping[str, Json],
    target: str,
    records: str,
    streak_s: float,
    looks: int,
    every_s: float,
    timeout_s: float,
) -> dict[str, Json]:
    """Look until the fault was there for `streak_s` and `looks` looks without a break; else InjectionError."""
    with runs.step(records, names.SEEN) as run:
        observe, failure = _observer(ref, injector, fault, target), f"{fault['name']} was not seen on {target}"
        try:
            found = looking.streak(observe, streak_s, looks, every_s, timeout_s, failure, run.patience)
        except InjectionError:
            carrier = catalog.find("injectors", injector)
            if why := getattr(carrier, "blind", lambda _: "")(_fault(fault)):
                return {"not_asked": why}
            raise
        return _streak(found, "first_seen_unix_nano")


def hold(
    records: str,
    anomaly_s: float,
    ref: Mapping[str, Json] | None = None,
    injector: str = "",
    fault: Mapping[str, Json] | None = None,
    target: str = "",
    every_s: float = 0.75,
    others: Sequence[Mapping[str, Json]] = (),
) -> dict[str, Json]:
    """Let the anomaly be recorded and look at the fault meanwhile; without a fault (a control) only wait.

    `others` are faults, each with its target, that are in as well; what is seen of them is said in that order.
    """
    with runs.step(records, names.HOLD) as run:
        start_ns = clock.now_ns()
        if fault is None or ref is None:
            clock.sleep(anomaly_s)
            held: dict[str, Json] = {"waited_s": anomaly_s}
        else:
            whom = [{"fault": fault, "target": target}, *others]
            observers = [_observer(ref, injector, one["fault"], one["target"]) for one in whom]
            held, *rest = looking.watch(observers, anomaly_s, every_s)
            held |= {"others": rest} if rest else {}
        run.held = True
        return held | _machine_since(start_ns)


def recover(
    ref: Mapping[str, Json],
    injector: str,
    fault: Mapping[str, Json],
    target: str,
    records: str,
    unless_gone: bool = False,
) -> dict[str, Json]:
    """Recover the fault; idempotent. `unless_gone`: do nothing if the fault was seen to be gone in this run.

    BusyMachineError when that fails on a machine that is too busy.
    """
    with runs.rollback(records, names.RECOVER), unless_busy(f"taking {fault['name']} out of {target}"):
        run = runs.find(records)
        if unless_gone and run is not None and _key(fault, target) in run.gone:
            return {"recovered": ""}
        catalog.find("injectors", injector).recover(_fault(fault), _attach(ref), target)
        return {"recovered": fault["name"]}


def gone(
    ref: Mapping[str, Json],
    injector: str,
    fault: Mapping[str, Json],
    target: str,
    records: str,
    streak_s: float,
    looks: int,
    every_s: float,
    timeout_s: float,
) -> dict[str, Json]:
    """Look until the fault is absent and every service answers, without a break; else InjectionError.

    BusyMachineError on a machine that was too busy: a service that can't be asked in time may be well.
    """
    with runs.rollback(records, names.GONE):
        observe, deployment = _observer(ref, injector, fault, target), _attach(ref)

        def absent() -> dict[str, Json]:
            looked = observe()
            unhealthy = list(deployment.unhealthy())
            clean = not looked["active"] and "error" not in looked and not unhealthy
            return {**looked, "active": clean, "unhealthy": unhealthy}

        run, failure = runs.find(records), f"{fault['name']} on {target} is not gone"
        patience = run.patience if run is not None else Patience()
        found = looking.streak(absent, streak_s, looks, every_s, timeout_s, failure, patience, blames_machine=True)
        if run is not None:
            run.gone.add(_key(fault, target))
        return _streak(found, "first_gone_unix_nano")


def wait_recovery(records: str, recovery_s: float) -> dict[str, Json]:
    """Let the way back to normal be recorded: `recovery_s`, and on until users are served as in the baseline.

    Only if the anomaly was held to its end and the fault is gone; the more is bounded by the case's patience.
    """
    with runs.rollback(records, names.RECOVERY):
        run = runs.find(records)
        if run is None or not run.held or runs.broken_off(records):
            raise NotPlayedError(runs.broken_off(records) or "the case broke off before its anomaly window ended")
        start_ns, start_s = clock.now_ns(), clock.monotonic_s()
        _wait_unhurried(recovery_s)
        served = Served(Path(records), run.baseline)
        tail = served.tail(start_ns, recovery_s)
        while not served.settled(tail) and run.patience.spend(MORE_S):
            _wait_unhurried(MORE_S)
            tail = served.tail(start_ns, recovery_s)
        return {
            "waited_s": clock.monotonic_s() - start_s,
            "asked_s": recovery_s,
            "settled": served.settled(tail),
            "tail": tail.sentence(),
            **_machine_since(start_ns),
        }


def _streak(found: Mapping[str, Json], first: str) -> dict[str, Json]:
    """What a streak of looks found, with the time of its first look by that name."""
    told = {"evidence": found["evidence"], first: found["first_ns"], "looks": found["looks"]}
    return told | found["uncounted"]


def _machine_since(start_ns: int) -> dict[str, Json]:
    """How busy the machine was from a moment on."""
    pressure = pressure_since(start_ns)
    return {"too_busy": pressure.too_busy, "pressure": pressure.told()}


def _wait_unhurried(seconds: float) -> None:
    """Wait; InjectionError when somebody wants us to end meanwhile."""
    deadline = clock.monotonic_s() + seconds
    while (left_s := deadline - clock.monotonic_s()) > 0:
        if runs.must_hurry():
            msg = f"the recovery window was cut short by a signal, {left_s:.1f} s before its end"
            raise InjectionError(msg)
        clock.sleep(min(0.1, left_s))


def end_workload(records: str) -> dict[str, Json]:
    """End the workload; with none running there is nothing to do."""
    with runs.watched():
        run = runs.find(records)
        if run is None:
            return {"ended": False}
        summary = importlib.import_module(run.workload_module).stop(run.handle)
        run.undone()
        runs.drop(records)
        return {"ended": True, "summary": _plain(summary)}


def _start_workload(ref: Mapping[str, Json], workload: Mapping[str, Json], records: str) -> Run:
    """Start the workload that the experiment names and keep its run; it ends by itself should this process die."""
    deployment = _attach(ref)
    spec = {**workload["spec"], "entry_url": deployment.entry_url, "urls": dict(deployment.urls)}
    start_ns, services = clock.now_ns(), None
    if spec.get("reference"):
        services = reference.start_looking(deployment, spec)
    handle = importlib.import_module(workload["module"]).start(spec, Path(records))
    run = Run(
        records=records,
        workload_module=workload["module"],
        handle=handle,
        start_ns=handle.get("start_unix_nano", start_ns),
        undone=_have_it_ended(deployment, handle),
    )
    runs.keep(run)
    if services is not None:
        run.suite = reference.settle_plays(deployment, workload, handle, services)
    return run


def _have_it_ended(deployment: Deployment, handle: Mapping[str, Json]) -> Callable[[], None]:
    """Have the guardian end the workload's process if this process dies; the workload also ends by itself then."""
    if "pid" not in handle:
        return lambda: None
    entry = {"op": "process", "pid": handle["pid"], "start_time": handle["start_time"]}
    return functools.partial(deployment.undo.done, deployment.undo.record(entry))


def _observer(
    ref: Mapping[str, Json], injector: str, fault: Mapping[str, Json], target: str
) -> Callable[[], dict[str, Json]]:
    """A function that probes the fault: {"active", "evidence", "time_unix_nano"}, and "error" if it could not."""
    deployment, thing = _attach(ref), _fault(fault)
    carrier = catalog.find("injectors", injector)

    def observe() -> dict[str, Json]:
        time_ns = clock.now_ns()
        try:
            looked = carrier.active(thing, deployment, target)
        except Exception as error:  # a probe of a broken system may fail in any way; it saw nothing
            return {
                "time_unix_nano": time_ns,
                "active": False,
                "evidence": {},
                "error": f"{type(error).__name__}: {error}",
            }
        return {"time_unix_nano": time_ns, "active": looked.active, "evidence": _plain(dict(looked.evidence))}

    return observe


def _attach(ref: Mapping[str, Json]) -> Deployment:
    deployment: Deployment = catalog.find("runtimes", ref["runtime"]).attach(ref)
    return deployment


def _fault(fault: Mapping[str, Json]) -> Any:
    return catalog.make_fault(fault["name"], dict(fault["parameters"]))


def _key(fault: Mapping[str, Json], target: str) -> str:
    """The key of a fault among the faults of a case."""
    return json.dumps([fault, target], sort_keys=True)


def _plain(value: Json) -> Json:
    """The value as JSON would give it back: tuples are lists, and what JSON does not know is its text."""
    return json.loads(json.dumps(value, default=str))

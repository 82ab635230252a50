"""Chaos Mesh manifests: which pods, how often and in which order; what is done to them is in chaos_mesh_faults.py."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pytest_anomod.importers import chaos_mesh_faults as faults
from pytest_anomod.importers.found import Aims, Experiment, Reading, Refused, labelled
from pytest_anomod.importers.lines import Lined
from pytest_anomod.importers.units import number, percent, seconds
from pytest_anomod.injectors.chaos_mesh.resources import key_of
from pytest_anomod.model.remark import Says

GROUP = "chaos-mesh.org/"
PAUSED = "experiment.chaos-mesh.org/pause"
_DEEPEST, _MOST = 10, 200
"""So many templates of a workflow within one another, and so many experiments of it."""

MACHINES = {
    "AWSChaos": "an EC2 instance",
    "AzureChaos": "a virtual machine of Azure",
    "BlockChaos": "a block device of a node",
    "GCPChaos": "an instance of Google's cloud",
    "KernelChaos": "the kernel of a node",
    "PhysicalMachineChaos": "a machine",
}
NOTHING_LIKE = {
    "TimeChaos": "no fault here turns a service's clock",
    "CiliumChaos": "it needs Cilium",
    "EnvoyChaos": "it needs Envoy",
    "RemoteCluster": "it names a cluster, and no fault",
    "PodHttpChaos": "Chaos Mesh makes it of an HTTPChaos; import that",
    "PodIOChaos": "Chaos Mesh makes it of an IOChaos; import that",
    "PodNetworkChaos": "Chaos Mesh makes it of a NetworkChaos; import that",
    "StatusCheck": "users are asked all along here, before, while and after; this URL is not",
    "WorkflowNode": "Chaos Mesh makes it of a Workflow; import that",
}


def read(document: Lined, aims: Aims) -> list[Experiment]:
    """The experiments of one manifest."""
    kind, name = document.text("kind"), document.text("metadata", "name")
    document.skip("apiVersion", "kind", "metadata", "status")
    paused = document.get("metadata", "annotations").flag(PAUSED)
    start = _Start(aims=aims, document=document, name=name or kind, paused=paused)
    if kind == "Schedule":
        return _scheduled(document.get("spec"), start, f"Schedule {name}", document.line)
    if kind == "Workflow":
        return _workflow(document.get("spec"), start)
    return [_experiment(kind, document.get("spec"), start, f"{kind} {name}".strip(), line=document.line)]


class _Start:
    """What all experiments of a manifest share."""

    def __init__(self, *, aims: Aims, document: Lined, name: str, paused: bool) -> None:
        self.aims, self.document, self.name, self.paused = aims, document, name, paused

    def experiment(self, title: str, name: str, line: int) -> tuple[Experiment, Reading]:
        experiment = Experiment(title=title, name=name, line=line)
        reading = Reading(experiment, self.aims)
        if self.paused:
            where = self.document.get("metadata", "annotations", PAUSED)
            reading.partly(where, PAUSED, "paused there; here a test that is skipped until you take the mark away")
            reading.skip = f"paused by {PAUSED}"
        return experiment, reading


def _experiment(
    kind: str, spec: Lined, start: _Start, title: str, *, line: int, name: str = "", period_s: float | None = None
) -> Experiment:
    """One fault for some pods; `period_s` when a schedule repeats it."""
    experiment, reading = start.experiment(title, name or start.name, line)
    try:
        if kind not in faults.KINDS:
            raise reading.refusal(line, kind, _why_unknown(kind))
        if not isinstance(spec.value, dict):
            raise reading.refusal(spec, "spec", "there is none")
        targets = select(spec.get("selector"), reading)
        _mode(spec, reading, kind)
        _duration(spec, reading)
        _containers(spec, reading, targets)
        if spec.get("remoteCluster"):
            raise reading.refusal(spec.get("remoteCluster"), "remoteCluster", "another cluster's pods; import it there")
        for target in targets:
            for fault, service in faults.KINDS[kind](spec, reading, target):
                reading.plan(spec, faults.repeated(fault, period_s, reading, spec), service)
        reading.unread(spec)
    except Refused:
        experiment.planned.clear()
    return experiment


def _why_unknown(kind: str) -> str:
    if kind in MACHINES:
        return f"it is done to {MACHINES[kind]}: faults here stay within one service"
    return NOTHING_LIKE.get(kind, f"no kind of Chaos Mesh that is known here: {', '.join(sorted(faults.KINDS))}")


def select(selector: Lined, reading: Reading, key: str = "selector") -> list[str]:
    """The services whose pods a selector selects; one test each."""
    if not selector:
        raise reading.refusal(selector, key, "there is none: it would be every pod of the namespace")
    for field in ("nodes", "nodeSelectors", "physicalMachines"):
        if selector.get(field):
            raise reading.refusal(selector.get(field), field, "selects by machine: faults here stay within one service")
    for field in ("annotationSelectors", "fieldSelectors"):
        if selector.get(field):
            raise reading.refusal(
                selector.get(field), field, "nothing here has annotations or fields; select by the label app"
            )
    selector.skip("namespaces", "podPhaseSelectors")
    found: list[str] = []
    if labels := dict(selector.get("labelSelectors").items()):
        found.append(labelled(labels, reading, selector.get("labelSelectors")))
    for expression in selector.get("expressionSelectors").elements():
        found += _expression(expression, reading)
    for pods in dict(selector.get("pods").items()).values():
        for pod in pods.elements():
            name = reading.filled_in(pod, "pods")
            service = reading.aims.of_pod(name)
            if not service:
                raise reading.refusal(pod, "pods", reading.aims.why_none(name))
            found.append(service)
    if not found:
        raise reading.refusal(
            selector, "selector", "selects whole namespaces: a fault here is in one service, so name one"
        )
    unique = list(dict.fromkeys(found))
    if len(unique) > 1 and key == "selector":
        reading.partly(selector, key, f"{len(unique)} services: in all of them at once there, a test each here")
    return unique


def _expression(expression: Lined, reading: Reading) -> list[str]:
    key, operator = expression.text("key"), expression.text("operator")
    if operator != "In":
        raise reading.refusal(
            expression, "expressionSelectors", f"{operator} names no services; write In, with their names"
        )
    return [labelled({key: value}, reading, expression) for value in expression.get("values").elements()]


def _mode(spec: Lined, reading: Reading, kind: str) -> None:
    """Pods of a service: here it has one instance, so any share of them is that one."""
    mode, value = spec.text("mode"), spec.get("value")
    text = value.word
    if mode == "fixed" and number(text) not in (None, 1):
        reading.partly(value, "mode: fixed", f"{text} of the pods there; a service here has one instance, which is hit")
    elif mode in ("fixed-percent", "random-max-percent") and percent(text) != 100:
        share = f"{text} %" if mode == "fixed-percent" else f"up to {text} %, drawn anew each time,"
        why = f"{share} of the pods and not of requests; a service here has one instance, so it is all of them"
        why += f"; if {text} % of the requests are meant, write percent={text}" if kind == "HTTPChaos" else ""
        reading.partly(value, f"mode: {mode}", why)
    elif mode not in ("one", "all", "fixed", "fixed-percent", "random-max-percent"):
        reading.partly(spec.get("mode"), "mode", f"{mode!r} is none of Chaos Mesh's; taken as all")


def _duration(spec: Lined, reading: Reading) -> None:
    where, text = spec.get("duration"), spec.text("duration")
    if not text:
        why = "none: until it is deleted there; here until the window ends, then undone"
        reading.does(spec, "duration", why)
    elif seconds(text) is None:
        reading.partly(where, "duration", f"{text!r} is no duration; the window here is that of --anomod-durations")
    else:
        reading.does(where, "duration", f"{text} there; the window here is that of --anomod-durations")


def _containers(spec: Lined, reading: Reading, targets: list[str]) -> None:
    for one in spec.get("containerNames").elements():
        name = reading.filled_in(one, "containerNames")
        if re.search(r"(^|-)init(-|$)", name):
            raise reading.refusal(
                one, "containerNames", f"{name!r}: an init container has ended before the service is up"
            )
        if name not in targets:
            reading.partly(one, "containerNames", f"{name!r}: a service here is one container, which it is taken for")


def _scheduled(spec: Lined, start: _Start, title: str, line: int, name: str = "") -> list[Experiment]:
    """What a Schedule repeats: one experiment, or those of a workflow."""
    kind, when = spec.text("type"), spec.get("schedule")
    inner = spec.get(key_of(kind))
    spec.skip("historyLimit", "concurrencyPolicy", "startingDeadlineSeconds")
    period_s = _period_s(when.word)
    if kind == "Workflow" and inner:
        found = _workflow(inner, start)
    else:
        found = [_experiment(kind, inner, start, f"{title} of {kind}", line=line, name=name, period_s=period_s)]
    for experiment in found:
        reading = Reading(experiment, start.aims)
        if not when:
            reading.partly(spec, "schedule", "there is none; here it is played once a test")
        elif not experiment.planned or not faults.is_repeated(experiment.planned[0].fault):
            reading.partly(when, "schedule", f"{when.value}: a case has one window; repeat it with your CI's clock")
        else:
            longer = "; a pod takes longer to be back: see away_s" if kind == "PodChaos" else ""
            reading.does(when, "schedule", f"{when.value}: repeated within the window{longer}")
    return found


def _period_s(schedule: str) -> float | None:
    """Seconds of `@every 3s`, or of a cron line that counts minutes or seconds; None for any other."""
    if schedule.startswith("@every "):
        return seconds(schedule.removeprefix("@every "))
    if match := re.fullmatch(r"\*/(\d+)((?: \*){4,5})", schedule.strip()):
        return float(match[1]) * (60 if len(match[2]) == 8 else 1)
    return 60.0 if schedule.strip() == "* * * * *" else None


def _workflow(spec: Lined, start: _Start) -> list[Experiment]:
    """The leaves of a workflow in the order in which they are reached from its entry."""
    templates = {one.text("name"): one for one in spec.get("templates").elements()}
    entry = spec.text("entry")
    if entry not in templates:
        experiment, reading = start.experiment(f"Workflow {start.name}", start.name, start.document.line)
        reading.refused(spec.get("entry"), "entry", f"{entry!r} is no template: {', '.join(templates) or 'none there'}")
        return [experiment]
    found = list(itertools.islice(_reached(entry, templates, start, ()), _MOST))
    for experiment in found:
        experiment.in_turn = True  # what is in beside it is said of each
    if not found:
        found = [start.experiment(f"Workflow {start.name}", start.name, start.document.line)[0]]
    return found


def _reached(name: str, templates: dict[str, Lined], start: _Start, way: tuple[str, ...]) -> Iterator[Experiment]:
    """The experiments of a template and of those below it; `way` are the names that led here."""
    template = templates[name]
    kind, line = template.text("templateType"), template.line
    title = f"Workflow {start.name}, {name}"
    experiment, reading = start.experiment(title, name, line)
    if kind in ("Serial", "Parallel"):
        if len(way) > _DEEPEST or name in way:
            reading.refused(template, name, "it is its own child" if name in way else "too many within one another")
            yield experiment
            return
        children = template.get("children").elements()
        for child in children:
            if child.word not in templates:
                reading.refused(child, "children", f"{child.value!r} is no template of this workflow")
                continue
            for below in _reached(child.word, templates, start, (*way, name)):
                if kind == "Parallel" and len(children) > 1 and below.planned:
                    why = f"at once with others of {name} there; here a test each, so that each has its own proof"
                    Reading(below, start.aims).partly(template, f"{name}: Parallel", why)
                yield below
        if experiment.says is Says.REFUSED:
            yield experiment
    elif kind == "Suspend":
        reading.does(template, "Suspend", "a wait: here each case waits until users are served as before")
        yield experiment
    elif kind == "Schedule":
        yield from _scheduled(template.get("schedule"), start, title, line, name)
    elif kind in ("Task", "StatusCheck"):
        task = "it runs a container of its own; write that into a test"
        reading.refused(template, kind, task if kind == "Task" else NOTHING_LIKE[kind])
        yield experiment
    else:
        template.skip("deadline")
        yield _experiment(kind, template.get(key_of(kind)), start, f"{title}: {kind}", line=line, name=name)

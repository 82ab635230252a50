"""calibration.json beside the tests: where users begin to notice a fault at a target, as `anomod calibrate` found it.

A scenario with a severity takes its values from there. The file is a JSON object: `format` is 1, `edges` a list with an
object for each system, fault, target and other parameters of the fault:

    system, fault, target, parameters   what was calibrated; `parameters` without the one that was turned
    parameter                           the one that was turned
    tolerated, effective                the edge is between these two of its values; null where there is none
    why                                 why there is no edge; "" where there is one
    severities                          its value by severity, "1" to "4" ({} without an edge); 5 stays as it is
    plays                               what was played: value, verdict, affected (share of the requests)
    rate_rps, runtime, durations        under which load, on what and in what windows
    made, version                       when, and by which version of pytest-anomod
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.declare import Declaration
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Json, parameters
from pytest_anomod.model.scenario import Injection

FILE = "calibration.json"
FORMAT = 1
KEY = ("system", "fault", "target", "parameters")


def key_of(system: str, one: Injection, parameter: str) -> dict[str, Json]:
    """What an edge is of."""
    others = {name: value for name, value in parameters(one.fault).items() if name != parameter}
    plain = json.loads(json.dumps({"fault": one.fault.name, "target": one.target, "parameters": others}))
    return {"system": system, **plain}


def read(path: Path) -> list[dict[str, Json]]:
    """The edges of a file; [] where there is none. ScenarioError for a file that is no such thing."""
    if not path.is_file():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known, edges = document["format"], list(document["edges"])
        lacking = [name for edge in edges for name in (*KEY, "parameter", "severities") if name not in edge]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} holds no calibration ({error!r}); make it again with `anomod calibrate`, or remove it"
        raise ScenarioError(msg) from error
    if known != FORMAT or lacking:
        why = f"an edge lacks {lacking[0]!r}" if lacking else f"it is of format {known!r}, and {FORMAT} is known here"
        msg = f"{path} can't be used: {why}; make it again with `anomod calibrate`"
        raise ScenarioError(msg)
    return edges


def keep(path: Path, edge: Mapping[str, Json]) -> None:
    """Put an edge into the file, in the place of an older one of the same; the order is that of the keys."""
    mine = [edge[name] for name in KEY]
    edges = [other for other in read(path) if [other[name] for name in KEY] != mine] + [dict(edge)]
    edges.sort(key=lambda other: json.dumps([other[name] for name in KEY], sort_keys=True))
    whole = path.with_name(f".{path.name}.new")
    whole.write_text(json.dumps({"format": FORMAT, "edges": edges}, indent=1) + "\n", encoding="utf-8")
    whole.replace(path)


def applied(declaration: Declaration, directory: Path) -> Declaration:
    """The declaration with the severities that were calibrated there, of those faults that were."""
    if not any(one.severity for one in declaration.injections):
        return declaration
    edges = read(directory / FILE)
    if not edges:
        return declaration
    first, *further = (_calibrated(declaration.system.name, one, edges) for one in declaration.injections)
    return dataclasses.replace(declaration, fault=first.fault, further=tuple(further))


def _calibrated(system: str, one: Injection, edges: Sequence[Mapping[str, Json]]) -> Injection:
    for edge in edges:
        value = edge["severities"].get(str(one.severity))
        if value is not None and key_of(system, one, edge["parameter"]) == {name: edge[name] for name in KEY}:
            return dataclasses.replace(one, fault=_turned(one.fault, edge["parameter"], value))
    return one


def _turned(fault: Fault, parameter: str, value: Json) -> Any:
    made: Any = fault  # a Fault is a dataclass, which its protocol can't say
    return dataclasses.replace(made, **{parameter: value})

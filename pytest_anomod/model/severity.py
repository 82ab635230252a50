"""Severity: the strength of a fault, from 1 (at the edge of what users notice) to 5 (outage), by its own dial."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Dial, Fault, Json

SEVERITIES = (1, 2, 3, 4, 5)
F = TypeVar("F", bound=Fault)


def steps(**values: Sequence[Json]) -> Dial:
    """A dial of all five steps: for each parameter its values in their order."""
    rows = zip(*values.values(), strict=True)
    return {severity: dict(zip(values, row, strict=True)) for severity, row in zip(SEVERITIES, rows, strict=True)}


def at_severity(fault: F, severity: int) -> F:
    """The fault with its dial at that step; its other parameters stay.

    ScenarioError when it has no such step, or when a parameter that the dial sets was given another value.
    """
    step = fault.dial.get(severity) if type(severity) is int else None
    if step is None:
        msg = f"severity={severity!r} of fault {fault.name!r} is none: {_what_there_is(fault)}"
        raise ScenarioError(msg)
    values: Any = fault  # a Fault is a dataclass, which its protocol can't say
    defaults = {field.name: field.default for field in dataclasses.fields(values)}
    given = [name for name, value in step.items() if getattr(fault, name) not in (defaults[name], value)]
    if given:
        both = " and ".join(f"{name}={getattr(fault, name)!r}" for name in given)
        msg = (
            f"severity={severity} of fault {fault.name!r} sets {', '.join(given)}, and {both} was given; leave one out"
        )
        raise ScenarioError(msg)
    set_to: F = dataclasses.replace(values, **step)
    return set_to


def _what_there_is(fault: Fault) -> str:
    if not fault.dial:
        return "it breaks nothing"
    if not any(fault.dial.values()):
        return "it has no dial and is always an outage, severity 5"
    return f"its dial has {', '.join(map(str, sorted(fault.dial)))}"

"""Checks of a fault's parameters: each refusal names the fault, the field, the value and what would do."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Replica, ServiceKind, System

_GIVEAWAY = re.compile(r"anomod|chaos|\bfault|inject|\bblade", re.IGNORECASE)


def within(fault: Any, field: str, low: float, high: float, unit: str) -> None:
    """The number must lie in [low, high]."""
    value = getattr(fault, field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        refuse(fault, field, f"must be a number from {low:g} to {high:g}{unit and ' '}{unit}")


def whole(fault: Any, field: str, low: int, high: int, unit: str) -> None:
    """The number must be an int in [low, high]."""
    value = getattr(fault, field)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        refuse(fault, field, f"must be a whole number from {low} to {high} {unit}")


def one_of(fault: Any, field: str, choices: Collection[str]) -> None:
    """The text must be one of those."""
    if getattr(fault, field) not in choices:
        refuse(fault, field, f"must be one of {', '.join(choices)}")


def matches(fault: Any, field: str, pattern: str, example: str) -> None:
    """The text must have the given form as a whole."""
    value = getattr(fault, field)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        refuse(fault, field, f"must look like {example}")


def names(fault: Any, field: str) -> None:
    """The value must be a tuple of names of services, at least one, each once; a list becomes one (it was JSON)."""
    value = getattr(fault, field)
    if isinstance(value, list):
        value = tuple(value)
        object.__setattr__(fault, field, value)
    fits = isinstance(value, tuple) and all(isinstance(name, str) and name for name in value)
    if not fits or not value or len(set(value)) < len(value):
        refuse(fault, field, "must be names of services, at least one, each once")


def unspoken(fault: Any, field: str) -> None:
    """The text ends up in logs and traces, so it must not give the label away."""
    value = getattr(fault, field)
    if not isinstance(value, str) or not value or _GIVEAWAY.search(value):
        refuse(fault, field, "must be a text that tells nothing of an injection: it shows in logs and traces")


def refuse(fault: Any, field: str, what: str) -> None:
    """Raise the ScenarioError."""
    msg = f"{field}={getattr(fault, field)!r} of {type(fault).__name__} {what}"
    raise ScenarioError(msg)


def check_engine(fault: Any, system: System, target: str, *engines: str) -> None:
    """Refuse a target that runs none of these engines."""
    engine = system.service(target).engine
    if engine not in engines:
        refuse_target(fault, target, f"its Service says engine={engine!r}, and this fault needs {' or '.join(engines)}")


def refuse_lost_content(fault: Any, system: System, target: str) -> None:
    """Refuse what ends the process of a replica's cache: its content was put in when the replica came up, once."""
    if system.service(target).kind is ServiceKind.CACHE and system.deploy(Replica) is not None:
        refuse_target(fault, target, "a cache comes back empty, and recovery could not bring its content back")


def refuse_target(fault: Any, target: str, why: str) -> None:
    """Raise the ScenarioError about a target that this fault can't be aimed at."""
    msg = f"{type(fault).__name__} can't be aimed at {target!r}: {why}"
    raise ScenarioError(msg)

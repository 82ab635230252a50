"""From a table of faults and targets to the scenarios of a matrix: fault x target x severity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_anomod import scenario
from pytest_anomod.model.fault import Fault

STEPS = (1, 3, 5)
"""Severities that are played of a fault that has them."""

Matrix = Sequence[tuple[Fault, Sequence[str]]]
"""Faults, and the services into which each is put."""


def cells(system: str, matrix: Matrix, **more: Any) -> Iterator[Any]:
    """A scenario for each fault, target and severity; whatever users feel of it, the proof must stand."""
    for fault, targets in matrix:
        for target in targets:
            for severity in STEPS:
                if severity in fault.dial:
                    yield scenario(system=system, fault=fault, target=target, severity=severity, expects="any", **more)


def in_code(system: str, functions: Mapping[str, tuple[str, str, Any]], kinds: Sequence[Any]) -> Iterator[Any]:
    """The same for faults in code: of each target the function, and a request or RPC (with arguments) through it."""
    for target, (function, probe, arguments) in functions.items():
        for kind in kinds:
            fault = kind(function=function, probe=probe, arguments=arguments)
            yield from cells(system, [(fault, [target])])

"""From tables of faults, targets and functions to the scenarios of a campaign: fault x target x severity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_anomod import scenario
from pytest_anomod.faults import CodeDelay, CodeException, DnsFailure, NetworkPartition
from pytest_anomod.model.fault import Fault

STEPS = (1, 3, 5)
"""Severities that are played of a fault that has them."""
CONTROLS = 10
PEERS, CODE = (DnsFailure, NetworkPartition), (CodeException, CodeDelay)

Pair = tuple[tuple[Fault, str, int], tuple[Fault, str, int]]
"""Two faults of a compound scenario, each with its target and severity."""


def crossed(faults: Sequence[Fault], groups: Sequence[Sequence[str]], each: int) -> list[tuple[Fault, list[str]]]:
    """Each fault with `each` services of every group, in rotation: all services get as many of the faults.

    So neither the fault tells the service or its group, nor the service the fault.
    """
    return [
        (fault, [group[(number + place) % len(group)] for group in groups for place in range(each)])
        for number, fault in enumerate(faults)
    ]


def cells(
    system: str,
    matrix: Sequence[tuple[Fault, Sequence[str]]],
    callers: Mapping[str, str],
    functions: Mapping[str, tuple[str, str, Any]],
) -> Iterator[Any]:
    """A scenario for each fault, target and severity; whatever users feel of it, the proof must stand.

    `matrix` has faults and the services into which each is put; `callers` services and one that each calls, which it
    then can't find or reach; `functions` of services a function, and a request or RPC with arguments that runs it.
    """
    pairs = [(fault, target) for fault, targets in matrix for target in targets]
    pairs += [(kind(peers=(peer,)), target) for target, peer in callers.items() for kind in PEERS]
    for target, (function, probe, arguments) in functions.items():
        pairs += [(kind(function=function, probe=probe, arguments=arguments), target) for kind in CODE]
    for fault, target in pairs:
        for severity in STEPS:
            if severity in fault.dial:
                yield scenario(system=system, fault=fault, target=target, severity=severity, expects="any")


def gray(system: str, some: Sequence[tuple[str, Fault, str]]) -> Iterator[Any]:
    """Scenarios with a fault at times only, or for some requests or users: (name, fault, target)."""
    for name, fault, target in some:
        yield scenario(system=system, name=name, fault=fault, target=target, expects="any")


def compounds(system: str, together: Sequence[Pair], in_turn: Sequence[Pair]) -> Iterator[Any]:
    """A scenario for each pair of faults, as (fault, target, severity): in at once, or one after the other."""
    for pairs, one_after_the_other in ((together, False), (in_turn, True)):
        for pair in pairs:
            faults, targets, severities = map(list, zip(*pair, strict=True))
            yield scenario(
                system=system,
                fault=faults,
                target=targets,
                severity=severities,
                in_turn=one_after_the_other,
                expects="any",
            )


def controls(system: str) -> Iterator[Any]:
    """Scenarios in which nothing is broken."""
    return (scenario(system=system, name=f"normal-{number}") for number in range(1, CONTROLS + 1))

"""Shared by the definitions of systems: kinds by engine, the entry that no service calls, checks of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import ServiceKind

KINDS = {
    "redis": ServiceKind.CACHE,
    "postgresql": ServiceKind.DOCSTORE,
    "mysql": ServiceKind.DOCSTORE,
    "mongodb": ServiceKind.DOCSTORE,
    "rabbitmq": ServiceKind.QUEUE,
}
"""Kind of a service by what it runs."""


def entry_of(called: Mapping[str, Sequence[str]], where: str, parameter: str = "entry") -> str:
    """The service that no other calls; ScenarioError that says how to name it when there are several."""
    callees = {callee for callees in called.values() for callee in callees}
    roots = [name for name in called if name not in callees]
    if len(roots) == 1:
        return roots[0]
    names = " or ".join(repr(name) for name in (roots or called))
    msg = f"{where}: say which service users reach: {parameter}={names}"
    raise ScenarioError(msg)


def kind_of(kind: ServiceKind | str, service: str, where: str) -> ServiceKind:
    """A kind by its name."""
    try:
        return ServiceKind(kind)
    except ValueError:
        msg = f"{where}: kind {kind!r} of service {service!r} is none of {', '.join(ServiceKind)}"
        raise ScenarioError(msg) from None


def check_port(port: int, service: str, where: str) -> int:
    """The port; ScenarioError for a number that is none. 0 stands for not known."""
    if not 0 <= port <= 65_535:
        msg = f"{where}: port {port} of service {service!r} is none: give one between 1 and 65535"
        raise ScenarioError(msg)
    return port


def check_names(
    known: Mapping[str, object], given: Mapping[str, Sequence[str] | Mapping[str, object]], where: str
) -> None:
    """ScenarioError for a name that is no service's."""
    for what, names in given.items():
        for name in names:
            if name not in known:
                msg = f"{where} has no service {name!r}, which {what} names; its services are {', '.join(known)}"
                raise ScenarioError(msg)

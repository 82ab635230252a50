"""Says whether a runtime can have a fault injected into a service, so that a written test can be collected and run."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Agent, Listener, Resolver, StoreLogin
from pytest_anomod.model.errors import AnomodError
from pytest_anomod.model.fault import lacking
from pytest_anomod.model.system import ComposeFiles

if TYPE_CHECKING:
    from pytest_anomod.model.fault import Fault
    from pytest_anomod.model.system import System


CONTAINERS = ("compose", "docker")
"""Runtimes whose capabilities are those of the engine that answers now: what is missing may be there elsewhere."""
OF_SERVICES = frozenset({Agent, Listener, Resolver, StoreLogin})
"""Capabilities that a service has, or has not, on every machine."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a test of a fault needs: `refusal` says why none can run; `runtime` is the one to name, where not all can.

    `missing` is what that runtime lacks on this machine.
    """

    refusal: str = ""
    runtime: str = ""
    missing: str = ""


def fit(system: System, target: str, fault: Fault) -> Fit:
    """Ask the runtimes that take the system, and look at which of them are there on this machine."""
    takers = [name for name in sorted(catalog.offers("runtimes")) if _takes(name, system)]
    why = {name: _never(name, system, target, fault) for name in takers}
    able = [name for name in takers if not why[name]]
    if not able:
        return Fit(refusal=f"{fault.name} on {target!r}: {'; '.join(why.values())}" if takers else "")
    missing = {name: _missing(name, system, target, fault) for name in able}
    here = [name for name in takers if not _absent(name)]
    if any(name in here and not missing[name] for name in able):
        good = next(name for name in able if name in here and not missing[name])
        all_good = all(name in able and not missing[name] for name in here)
        return Fit(runtime="" if all_good else good)
    return Fit(runtime=able[0], missing=missing[able[0]])


def _takes(name: str, system: System) -> bool:
    if name == "compose":  # it also says no where there is no engine
        return system.deploy(ComposeFiles) is not None
    asked = getattr(catalog.find("runtimes", name), "refusal", None)
    return not (asked and asked(system))


def _never(name: str, system: System, target: str, fault: Fault) -> str:
    """Why a runtime can't have the fault on any machine; "" when it can."""
    runtime = catalog.find("runtimes", name)
    asked = getattr(runtime, "refusal_of_fault", None)
    if asked and (refusal := asked(system, target, fault.name)):
        return str(refusal)
    lacks = lacking(fault, lambda needs: runtime.lacks(system, target, needs))
    return (
        f"no {_names(lacks)} there on runtime {name!r}"
        if (lacks & OF_SERVICES if name in CONTAINERS else lacks)
        else ""
    )


def _missing(name: str, system: System, target: str, fault: Fault) -> str:
    """What a runtime lacks for the fault on this machine; "" when it is all there."""
    lacks = lacking(fault, lambda needs: catalog.find("runtimes", name).lacks(system, target, needs))
    return _absent(name) or (f"no {_names(lacks)} on this machine" if lacks else "")


def _names(kinds: frozenset[type]) -> str:
    return ", ".join(sorted(kind.__name__ for kind in kinds))


@functools.cache
def _absent(name: str) -> str:
    """Why a runtime is not there on this machine; "" when it is."""
    runtime = catalog.find("runtimes", name)
    try:
        if hasattr(runtime, "check"):
            runtime.check()
    except AnomodError as error:
        return str(error)
    return ""

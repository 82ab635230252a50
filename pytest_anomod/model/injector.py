"""The protocol of injectors, which carry faults out, and the check of an injector against it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault, Json, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System


class Injector(Protocol):
    """Injects and recovers faults by its own means; it is found by name, and works in any process.

    Its changes are undone when this process is killed: before the first change it writes down how, by
    `deployment.undo.record({"op": "injector", "injector": name, "entry": ...})`, or has the native injector do so.
    """

    name: str

    def refusal(self, fault: Fault, target: str, system: System, runtime: Runtime) -> str:
        """Why it can't really inject a fault into a service of a system that `runtime` brings up; "" when it can.

        Called while tests are collected, before anything is up. "Really": the fault's own probe will see it, and only
        the target is affected.
        """

    def prepare(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Bring the target into the state the fault supposes, before the baseline."""

    def inject(self, fault: Fault, deployment: Deployment, target: str) -> Json:
        """Inject the fault; return what was done, as JSON. InjectionError when it can't."""

    def active(self, fault: Fault, deployment: Deployment, target: str) -> Observation:
        """What the fault's probe sees now, independently of the injector."""

    def recover(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Recover the fault and see that it is gone; idempotent, also if nothing was injected."""


class InjectorExtras(Protocol):
    """What an injector may have as well."""

    def check(self) -> None:
        """AnomodError when it lacks something on this machine; asked once, before tests are collected."""

    def undo(self, entry: Json) -> None:
        """Undo by an entry of its own alone, in any process and with the deployment dead or alive; idempotent."""


def verify(offer: object) -> None:
    """Raise ScenarioError that names what an object lacks to be an injector, or takes otherwise."""
    if isinstance(offer, type):
        msg = f"injector {offer!r} is a class; offer an instance of it"
        raise ScenarioError(msg)
    problems = [] if isinstance(getattr(offer, "name", None), str) else ["no name (a text)"]
    for protocol in (Injector, InjectorExtras):
        for method, function in inspect.getmembers(protocol, inspect.isfunction):
            if not method.startswith("_") and (protocol is Injector or hasattr(offer, method)):
                problems += _problem(getattr(offer, method, None), method, function)
    if problems:
        msg = f"injector {offer!r} has {'; '.join(problems)}; see Injector in pytest_anomod/model/injector.py"
        raise ScenarioError(msg)


def _problem(given: object, method: str, wanted: Callable[..., object]) -> list[str]:
    names = list(inspect.signature(wanted).parameters)[1:]  # without self
    if not callable(given):
        return [f"no {method}({', '.join(names)})"]
    try:
        inspect.signature(given).bind(*names)
    except TypeError:
        return [f"{method}{inspect.signature(given)} where it is called with ({', '.join(names)})"]
    return []

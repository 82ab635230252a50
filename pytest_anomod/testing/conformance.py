"""The conformance test of injectors, as a function for your own tests."""

from __future__ import annotations

import json
from typing import Any

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.fault import Fault
from pytest_anomod.model.injector import Injector, verify

_SEEN_WITHIN_S = 10.0


def check_injector(injector: Injector, fault: Fault, deployment: Any, target: str) -> None:
    """Inject and recover a fault as a case does; AssertionError says what does not conform.

    `fault` is one that the injector can put into `target`. It is taken out again whatever fails.
    """
    verify(injector)
    watched = _Watched(deployment)
    system, runtime = catalog.find("systems", deployment.system), catalog.find("runtimes", deployment.runtime)
    why = injector.refusal(fault, target, system, runtime)
    assert why == "", f"{injector.name} refuses {fault.name}: {why!r}"
    assert not injector.active(fault, watched, target), "the fault is seen before it was put in"
    try:
        injector.prepare(fault, watched, target)
        assert not injector.active(fault, watched, target), "prepare put the fault in"
        json.dumps(injector.inject(fault, watched, target))
        assert watched.entries, "nothing says how to undo it: record an entry in deployment.undo before the deed"
        clock.wait_until(
            lambda: bool(injector.active(fault, watched, target)), timeout_s=_SEEN_WITHIN_S, what=f"{fault.name} to act"
        )
    finally:
        injector.recover(fault, watched, target)
    assert not injector.active(fault, watched, target), "the fault is seen after its recovery"
    assert not watched.entries, f"undo entries stay open after the recovery: {list(watched.entries.values())}"
    injector.recover(fault, watched, target)  # the guardian may come second


class _Watched:
    """A deployment, and its undo log, of which the open entries are kept."""

    def __init__(self, deployment: Any) -> None:
        self._deployment = deployment
        self.entries: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deployment, name)

    @property
    def undo(self) -> _Watched:
        return self

    def record(self, entry: Any) -> Any:
        number = self._deployment.undo.record(entry)
        self.entries[number] = entry
        return number

    def done(self, number: Any) -> None:
        self._deployment.undo.done(number)
        self.entries.pop(number, None)

"""A fault that is a flag in the fake world and can be told to lie, and the injector that calls it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import CodeLocation, FaultDefaults, Json, Level, Observation


class Lie(StrEnum):
    """What a FakeFault may do other than it says."""

    NONE = ""
    NOT_PUT_IN = "inject does nothing"
    INJECT_FAILS = "inject raises"
    FLICKERS = "every second look does not see it"
    PREPARE_FAILS = "prepare raises"
    RECOVER_FAILS = "recover raises"
    RECOVER_FAILS_ONCE = "the first recover raises"
    STAYS = "recover does nothing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FakeFault(FaultDefaults):
    """A fault that is a flag in the fake world, and does what `lie` says instead of what it should."""

    name: ClassVar[str] = "fake_fault"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[type]] = frozenset()

    lie: str = Lie.NONE
    text: str = ""

    def prepare(self, deployment: Any, target: str) -> None:
        deployment.world.call("prepare")
        if self.lie == Lie.PREPARE_FAILS:
            msg = f"told to fail to prepare {target}"
            raise InjectionError(msg)
        deployment.world.write(prepared=True)

    def inject(self, deployment: Any, target: str) -> Mapping[str, Json]:
        deployment.world.call("inject")
        if self.lie == Lie.INJECT_FAILS:
            msg = f"told to fail on {target}"
            raise InjectionError(msg)
        deployment.world.write(fault_in=self.lie != Lie.NOT_PUT_IN)
        return {"text": self.text}

    def active(self, deployment: Any, target: str) -> Observation:
        look = deployment.world.call("active")
        there = deployment.world.read()["fault_in"] and not (self.lie == Lie.FLICKERS and look % 2)
        return Observation(active=there, evidence={"look": look})

    def recover(self, deployment: Any, target: str) -> None:
        times = deployment.world.call("recover")
        if self.lie == Lie.RECOVER_FAILS or (self.lie == Lie.RECOVER_FAILS_ONCE and times == 1):
            msg = f"told to fail to recover {target}"
            raise InjectionError(msg)
        if self.lie != Lie.STAYS:
            deployment.world.write(fault_in=False, prepared=False)

    def locate(self, deployment: Any, target: str) -> CodeLocation | None:
        return CodeLocation(file="app.py", function="App.handle", first_line=3, last_line=9)


class FakeInjector:
    """Carries a fault out by calling it."""

    name = "fake"

    def refusal(self, fault: Any, target: str, system: Any, runtime: Any) -> str:
        return ""

    def prepare(self, fault: Any, deployment: Any, target: str) -> None:
        fault.prepare(deployment, target)

    def inject(self, fault: Any, deployment: Any, target: str) -> Mapping[str, Json]:
        done: Mapping[str, Json] = fault.inject(deployment, target)
        return done

    def active(self, fault: Any, deployment: Any, target: str) -> Observation:
        looked: Observation = fault.active(deployment, target)
        return looked

    def recover(self, fault: Any, deployment: Any, target: str) -> None:
        fault.recover(deployment, target)

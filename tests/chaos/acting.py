"""A fault that raises, exits or sends a signal in the middle of one of its methods."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from pytest_anomod.testing import FakeFault


def _send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


ACTS: Mapping[str, Callable[[], object]] = {
    "pytest.fail": lambda: pytest.fail("said by pytest.fail"),
    "SIGINT": _send(signal.SIGINT),
    "SIGTERM": _send(signal.SIGTERM),
    "SIGUSR2": _send(signal.SIGUSR2),
    "SystemExit": lambda: sys.exit(3),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActingFault(FakeFault):
    """Does `act` in the middle of one of its own verbs, after it has done what the verb says; `times` times."""

    name: ClassVar[str] = "acting_fault"

    act: str = ""
    during: str = "inject"
    times: int = 1

    def inject(self, deployment: Any, target: str) -> Mapping[str, Any]:
        done = FakeFault.inject(self, deployment, target)
        self._act("inject", deployment)
        return done

    def recover(self, deployment: Any, target: str) -> None:
        # first the act: what it breaks off must be done by someone else
        self._act("recover", deployment)
        FakeFault.recover(self, deployment, target)

    def _act(self, verb: str, deployment: Any) -> None:
        if verb == self.during and deployment.world.call(f"act {verb}") <= self.times:
            ACTS[self.act]()

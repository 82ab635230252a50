"""A scenario over the fakes that takes some tenths of a second, and a catalog that offers only them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pytest_anomod.chaos.compile import Tempo
from pytest_anomod.model import catalog
from pytest_anomod.model.fault import Level
from pytest_anomod.model.scenario import Durations, Scenario
from pytest_anomod.testing.deployment import FAKE_SYSTEM, FakeRuntime
from pytest_anomod.testing.fault import FakeFault, FakeInjector
from pytest_anomod.testing.load import FakeLoad

QUICK_DURATIONS = Durations(warmup_s=0.06, baseline_s=0.05, anomaly_s=0.08, recovery_s=0.05)

QUICK = Tempo(
    streak_s=0.03,
    looks=2,
    every_s=0.01,
    seen_timeout_s=0.15,
    gone_timeout_s=0.15,
    hold_every_s=0.02,
    steady_window_s=0.05,
)


def fake_scenario(*, fault: Any = None, control: bool = False, **changes: Any) -> Scenario:
    """A scenario over the fakes with windows of some hundredths of a second; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "name": "fake_scenario",
        "system": FAKE_SYSTEM.name,
        "fault": fault or FakeFault(),
        "target": "app",
        "level": Level.NORMAL if control else Level.SERVICE,
        "workload": FakeLoad(),
        "durations": QUICK_DURATIONS,
        "seed": 7,
        "expects": "normal" if control else "effective",
    }
    return Scenario(**{**fields, **changes})


@contextlib.contextmanager
def offered(*faults: Any) -> Iterator[None]:
    """Have the catalog offer the fakes and these further fault classes, and nothing else, while the block lasts."""
    fakes: dict[str, tuple[Any, ...]] = {
        "faults": (FakeFault, *faults),
        "systems": (FAKE_SYSTEM,),
        "runtimes": (FakeRuntime(),),
        "injectors": (FakeInjector(),),
    }
    before = catalog.offers

    def offers(group: str) -> dict[str, Any]:
        return {one.name: one for one in fakes.get(group, ())}

    catalog.offers = offers  # type: ignore[assignment]
    try:
        yield
    finally:
        catalog.offers = before

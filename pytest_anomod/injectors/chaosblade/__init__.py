"""Faults carried out by ChaosBlade's `blade`; `means.py` says what it is told of each fault."""

from pytest_anomod.injectors.chaosblade.injector import ChaosBladeInjector

OFFERS = (ChaosBladeInjector(),)

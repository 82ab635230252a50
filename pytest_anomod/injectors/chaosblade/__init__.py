"""Carries faults out by ChaosBlade's `blade`; `means.py` has its arguments for each fault."""

from pytest_anomod.injectors.chaosblade.injector import ChaosBladeInjector

OFFERS = (ChaosBladeInjector(),)

"""Faults carried out by their own methods, with nothing but the deployment."""

from pytest_anomod.injectors.native.injector import NativeInjector

OFFERS = (NativeInjector(),)

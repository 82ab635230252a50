"""Faults as resources of Chaos Mesh, in a Kubernetes cluster that has it."""

from pytest_anomod.injectors.chaos_mesh.injector import ChaosMeshInjector
from pytest_anomod.injectors.chaos_mesh.means import manifest

__all__ = ["OFFERS", "manifest"]

OFFERS = (ChaosMeshInjector(),)

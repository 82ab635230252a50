"""Faults as resources of Chaos Mesh. Only their text: nothing here speaks to a cluster, so no injector is on offer."""

from pytest_anomod.injectors.chaos_mesh.means import manifest

__all__ = ["manifest"]

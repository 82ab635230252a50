"""Rights that the injector chaos_mesh needs in the namespace of the pods, beside those of the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_anomod.injectors.chaos_mesh.resources import GROUP

RULES: tuple[Mapping[str, Sequence[str]], ...] = (
    # update: of finalizers, where a resource hangs in its deletion
    {"apiGroups": (GROUP,), "resources": ("*",), "verbs": ("get", "list", "create", "update", "delete")},
    {"apiGroups": ("",), "resources": ("pods",), "verbs": ("get", "list", "create", "delete")},
    {"apiGroups": ("",), "resources": ("pods/exec",), "verbs": ("get", "create")},
)
"""Rules of a Role, as `rules` of its manifest has them."""

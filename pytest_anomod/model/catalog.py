"""Finds faults, systems, modalities, runtimes, injectors and methods by name: our own folders first, then entry points.

A module of `pytest_anomod/<group>/` offers what its `OFFERS` tuple names; third parties offer the same objects through
the entry point group `pytest_anomod.<group>`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from pytest_anomod.model.errors import ScenarioError

GROUPS = ("faults", "systems", "modalities", "runtimes", "injectors", "methods")
_PACKAGES = {"methods": "evaluation.methods"}
"""Where a group's own folder is, when it is not called after the group."""
_SINGULAR = {"modalities": "modality"}


@functools.cache
def offers(group: str) -> dict[str, Any]:
    """Everything on offer in a group, by name; two offers of one name are an error."""
    if group not in GROUPS:
        msg = f"no group {group!r} in the catalog; groups are {', '.join(GROUPS)}"
        raise ScenarioError(msg)
    found: dict[str, Any] = {}
    package = importlib.import_module(f"pytest_anomod.{_PACKAGES.get(group, group)}")
    for module_info in pkgutil.iter_modules(package.__path__):
        if not module_info.name.startswith("_"):
            module = importlib.import_module(f"{package.__name__}.{module_info.name}")
            for offer in getattr(module, "OFFERS", ()):
                _add(found, group, offer)
    for entry_point in entry_points(group=f"pytest_anomod.{group}"):
        _add(found, group, entry_point.load())
    return found


def find(group: str, name: str) -> Any:
    """The offer of that name; ScenarioError with the nearest names when there is none."""
    known = offers(group)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    hint = f"did you mean {', '.join(near)}?" if near else f"none is on offer in pytest_anomod.{group}"
    msg = f"no {_SINGULAR.get(group, group.removesuffix('s'))} named {name!r}; {hint}"
    raise ScenarioError(msg)


def make_fault(name: str, parameters: dict[str, Any]) -> Any:
    """A fault from its name and JSON parameters; ScenarioError names what does not fit."""
    try:
        return find("faults", name)(**parameters)
    except TypeError as error:
        msg = f"fault {name!r} can't be made with parameters {parameters!r}: {error}"
        raise ScenarioError(msg) from error


def _add(found: dict[str, Any], group: str, offer: Any) -> None:
    if offer.name in found and found[offer.name] is not offer:
        msg = f"two {group} are named {offer.name!r}: {found[offer.name]!r} and {offer!r}; rename one"
        raise ScenarioError(msg)
    found[offer.name] = offer

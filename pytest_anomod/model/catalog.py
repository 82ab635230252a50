"""Finds what is on offer by name (faults, systems, exporters ...): our own folders first, then entry points.

A module of `pytest_anomod/<group>/` offers what its `OFFERS` tuple names; third parties offer the same objects through
the entry point group `pytest_anomod.<group>`; a conftest.py or test file offers its own by `register`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import os
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.injector import verify

GROUPS = ("faults", "systems", "modalities", "runtimes", "injectors", "methods", "exporters")
_PACKAGES = {"methods": "evaluation.methods"}
"""Where a group's own folder is, when it is not called after the group."""
_UNLISTED = {
    ("faults", "experiment"): "faults._experiment",
    ("injectors", "chaostoolkit"): "injectors._chaostoolkit",
}
"""What is found by its name and not on offer: it takes a file that the user names, so no test can declare it."""
DEFINED_IN = "ANOMOD_DEFINED_IN"
"""Environment variable: the files that registered something, so that processes we start can find it there too."""
_SINGULAR = {"modalities": "modality"}
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_registered: dict[str, dict[str, tuple[Any, str]]] = {}
"""What was registered, by group and name, with the file that did."""
_looked_into: set[str] = set()
"""Files of definitions that this process has run, or runs now."""


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
    for offer, _ in _registered.get(group, {}).values():
        _add(found, group, offer)
    return found


def register(group: str, offer: Any) -> None:
    """Offer something that the calling file defines; the same name from the same file replaces the earlier offer.

    ScenarioError when something else has that name. Processes that are started from now on find it as well.
    """
    if group == "injectors":
        verify(offer)
    file = _calling_file()
    mine = _registered.setdefault(group, {})
    known = mine.get(offer.name)
    if known is not None and known[1] != file:
        msg = f"two {group} are named {offer.name!r}: one in {known[1]}, one in {file}; rename one"
        raise ScenarioError(msg)
    before = offers(group).get(offer.name) if known is None else None
    if before is not None:
        msg = f"two {group} are named {offer.name!r}: {file} defines what is on offer already; rename it"
        raise ScenarioError(msg)
    mine[offer.name] = offer, file
    offers.cache_clear()
    _looked_into.add(file)
    files = os.environ.get(DEFINED_IN, "").split(os.pathsep)
    if file not in files:
        os.environ[DEFINED_IN] = os.pathsep.join(filter(None, [*files, file]))


def find(group: str, name: str) -> Any:
    """The offer of that name; ScenarioError with the nearest names when there is none."""
    if (group, name) in _UNLISTED:
        return importlib.import_module(f"pytest_anomod.{_UNLISTED[group, name]}").OFFER
    known = offers(group)
    if name not in known and _look_into_definitions():
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
    if group == "injectors":
        verify(offer)
    if offer.name in found and found[offer.name] is not offer:
        msg = f"two {group} are named {offer.name!r}: {found[offer.name]!r} and {offer!r}; rename one"
        raise ScenarioError(msg)
    found[offer.name] = offer


def _calling_file() -> str:
    """The file that calls us from outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return os.path.abspath(frame.f_code.co_filename)


def _look_into_definitions() -> bool:
    """Run the files that registered something in the process that started us; False when there was none to run."""
    files = os.environ.get(DEFINED_IN, "").split(os.pathsep)
    unknown = [file for file in files if file and file not in _looked_into and os.path.exists(file)]
    for number, file in enumerate(unknown, len(_looked_into)):
        _looked_into.add(file)
        home = Path(file).parent
        if str(home) not in sys.path:
            sys.path.insert(0, str(home))  # as pytest does: such files import their neighbours
        spec = importlib.util.spec_from_file_location(f"anomod_definitions_{number}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return bool(unknown)

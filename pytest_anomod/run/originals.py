"""--anomod-compose SYSTEM=PATH: plays tests of a replica's system on the original system, from its compose files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_anomod.declare import Declaration
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Level
from pytest_anomod.model.system import System

_originals_key = pytest.StashKey[dict[str, System]]()


def by_system(places: Sequence[str]) -> dict[str, str]:
    """Places by the name of their system; ScenarioError for a text that is no SYSTEM=PATH, or a system given twice."""
    found: dict[str, str] = {}
    for text in places:
        system, equals, place = text.partition("=")
        if not system or not equals or not place:
            msg = f"{text!r} must be SYSTEM=PATH, such as social_network=../DeathStarBench"
            raise ScenarioError(msg)
        if system in found:
            msg = f"system {system!r} is given twice; several compose files are one PATH: A.yml:B.yml"
            raise ScenarioError(msg)
        found[system] = place
    return found


def with_original(config: pytest.Config, declaration: Declaration) -> Declaration:
    """What a test declares, on the original of its system if the command line names one."""
    original = originals(config).get(declaration.system.name)
    if original is None or declaration.is_original:
        return declaration
    if declaration.fault.level is Level.NORMAL:
        return dataclasses.replace(declaration, system=original, target=original.entry, is_original=True)
    return dataclasses.replace(declaration, system=original, is_original=True, unfit=_unfit(declaration, original))


def originals(config: pytest.Config) -> dict[str, System]:
    """Systems that the command line has compose files of, by name; UsageError when one can't be had from them."""
    if _originals_key not in config.stash:
        from pytest_anomod.define.originals import original_of

        found = {}
        for name, place in by_system(config.option.anomod_compose or ()).items():
            try:
                found[name] = original_of(catalog.find("systems", name), place, config.invocation_params.dir)
            except ScenarioError as error:
                msg = f"--anomod-compose={name}={place}: {error}"
                raise pytest.UsageError(msg) from None
        config.stash[_originals_key] = found
    return config.stash[_originals_key]


def _unfit(declaration: Declaration, original: System) -> str:
    """Why the original can't have a scenario: it has no such service, or that is not what the fault needs."""
    where = f"the original of {original.name!r}"
    for one in declaration.injections:
        if one.target not in {service.name for service in original.services}:
            return f"{where} has no service {one.target!r} in its compose files"
        try:
            one.fault.check(original, one.target)
        except ScenarioError as error:
            return f"{where}: {error}"
    return ""

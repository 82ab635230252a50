"""Decides the runtime of a test: its own, the command line's, or the choice of `auto` for the whole run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.declare import Declaration
from pytest_anomod.run.options import AUTO
from pytest_anomod.run.telling import shared_notes, tell

if TYPE_CHECKING:
    from pytest_anomod.runtimes.choice import Choice

_choice_key = pytest.StashKey[Any]()


def runtime_name(config: pytest.Config, declaration: Declaration) -> str:
    """The runtime of a test: its own, or the command line's, where `auto` decides once for the whole run."""
    if declaration.runtime is not None or config.option.anomod_runtime != AUTO:
        return declaration.runtime or str(config.option.anomod_runtime)
    from pytest_anomod.runtimes.choice import agree, look, runtime_for

    if _choice_key not in config.stash:
        config.stash[_choice_key] = agree(shared_notes(config), lambda before: before or look())
    return runtime_for(config.stash[_choice_key], declaration.system)


def settle_runtime(config: pytest.Config, declarations: Iterable[Declaration]) -> None:
    """Before the first case: if `auto` is to run any of these, have the image made that it takes, unless it is there.

    The first worker does, the others wait for it; `--collect-only` makes nothing.
    """
    option = config.option
    if option.anomod_runtime != AUTO or option.collectonly:
        return
    from pytest_anomod.runtimes.choice import agree, look, runtime_for, settle

    taken = agree(shared_notes(config), lambda before: before or look())
    systems = [declaration.system for declaration in declarations if declaration.runtime is None]
    names = dict.fromkeys(runtime_for(taken, system) for system in systems)
    if not names:
        return

    def decide(before: Choice | None) -> Choice:
        found = before or look()
        if found.runtime not in names:
            return dataclasses.replace(found, instead=", ".join(names))
        return settle(found, lambda line: tell(config, line))

    found = config.stash[_choice_key] = agree(shared_notes(config), decide)
    option.anomod_runtime_took, option.anomod_runtime_why = found.told

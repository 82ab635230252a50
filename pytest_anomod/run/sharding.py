"""Runs in parts: deselects scenarios of other machines, and skips those whose case is in the dataset already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.dataset.doubles import AGAIN
from pytest_anomod.declare import case_seed
from pytest_anomod.run.cases import run_seed, scenario_name
from pytest_anomod.run.command_line import declaration_of, repetition_of
from pytest_anomod.run.options import dataset_place, shard

Key = tuple[str, str, int]
"""System, scenario and seed of a case."""


def keep_shard(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the scenarios that are other machines' share (--anomod-shard); ordinary tests stay."""
    number, count = shard(config.option.anomod_shard)
    scenarios = [item for item in items if declaration_of(item) is not None]
    others = {id(item) for place, item in enumerate(scenarios) if place % count != number - 1}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in others])
    items[:] = [item for item in items if id(item) not in others]


def skip_done(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the scenarios whose case is in the dataset (--anomod-resume)."""
    done = cases_there(dataset_place(config))
    for item in items:
        declaration = declaration_of(item)
        if declaration is None:
            continue
        name = declaration.name or scenario_name(item.originalname)  # type: ignore[attr-defined]
        found = done.get((declaration.system.name, name, case_seed(run_seed(config, repetition_of(item)), name)))
        if found:
            item.add_marker(pytest.mark.skip(reason=f"its case is in the dataset: {found}"))


def cases_there(out: Path) -> dict[Key, str]:
    """The complete cases of a dataset that can be used, and a phrase for each: where it is, and its verdict."""
    found: dict[Key, str] = {}
    for file in sorted(out.glob("system=*/scenario=*/case=*/case.json")):
        told, scenario = _read(file), _read(file.with_name("scenario.json"))
        if told.get("verdict") not in (None, *AGAIN) and "seed" in scenario:
            key = (scenario["system"], scenario["name"], scenario["seed"])
            found[key] = f"{file.parent.relative_to(out).as_posix()}, {told['verdict']}"
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}  # it is being written, or half written: no case yet

"""Runs in parts: deselects scenarios of other machines, and skips those whose case is in the dataset already."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.dataset.doubles import AGAIN
from pytest_anomod.declare import case_seed
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.run.cases import run_seed, scenario_name
from pytest_anomod.run.command_line import declaration_of, repetition_of
from pytest_anomod.run.options import dataset_place, shard

Key = tuple[str, str, int]
"""System, scenario and seed of a case."""

earlier_key: pytest.StashKey[tuple[str, int]] = pytest.StashKey()
"""Of a test whose case is in the dataset, but spoiled: case_id and attempt of what its new case replaces."""


def keep_shard(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the scenarios that are other machines' share (--anomod-shard); ordinary tests stay."""
    number, count = shard(config.option.anomod_shard)
    scenarios = [item for item in items if declaration_of(item) is not None]
    others = {id(item) for place, item in enumerate(scenarios) if place % count != number - 1}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in others])
    items[:] = [item for item in items if id(item) not in others]


def skip_done(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the scenarios whose case is in the dataset (--anomod-resume); link new cases with the spoiled ones there."""
    from pytest_anomod.dataset.label_rows import read_label_row

    out = dataset_place(config)
    there = list(_there(out))
    done = _usable(out, there)
    spoiled = {key: file.parent for key, file, verdict in there if verdict in AGAIN}  # the last one of several
    for item in items:
        declaration = declaration_of(item)
        if declaration is None:
            continue
        name = declaration.name or scenario_name(item.originalname)  # type: ignore[attr-defined]
        key = (declaration.system.name, name, case_seed(run_seed(config, repetition_of(item)), name))
        if key in done:
            item.add_marker(pytest.mark.skip(reason=f"its case is in the dataset: {done[key]}"))
        elif key in spoiled:
            with contextlib.suppress(DatasetError):  # readers take no damaged case, so there is nothing to replace
                row = read_label_row(spoiled[key])
                item.stash[earlier_key] = (row["case_id"], row["attempt"])


def cases_there(out: Path) -> dict[Key, str]:
    """The complete cases of a dataset that can be used, and a phrase for each: where it is, and its verdict."""
    return _usable(out, _there(out))


def _usable(out: Path, there: Iterable[tuple[Key, Path, str]]) -> dict[Key, str]:
    return {
        key: f"{file.parent.relative_to(out).as_posix()}, {verdict}"
        for key, file, verdict in there
        if verdict not in AGAIN
    }


def _there(out: Path) -> Iterator[tuple[Key, Path, str]]:
    """The complete cases of a dataset in order of time: key, case.json and verdict."""
    for file in sorted(out.glob("system=*/scenario=*/case=*/case.json")):
        told, scenario = _read(file), _read(file.with_name("scenario.json"))
        if told.get("verdict") is not None and "seed" in scenario:
            yield (scenario["system"], scenario["name"], scenario["seed"]), file, told["verdict"]


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}  # it is being written, or half written: no case yet

"""What the command line asks for, as values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import PROFILES, Durations

AUTO = "auto"  # the same word as choice.AUTO, whose module only those need who say it


def out_directory(config: pytest.Config) -> Path:
    """The dataset's root; a relative one is taken from where pytest was called."""
    return Path(config.invocation_params.dir, config.option.anomod_out).absolute()


def durations(config: pytest.Config) -> Durations:
    """The window lengths that the command line asks for."""
    return PROFILES[config.option.anomod_durations].scaled(config.option.anomod_scale)


def shard(text: str) -> tuple[int, int]:
    """(I, N) of a text I/N; ScenarioError for another."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        msg = "must be I/N with I from 1 to N, such as 2/5"
        raise ScenarioError(msg)
    return int(found[1]), int(found[2])


def chosen(config: pytest.Config) -> dict[str, str]:
    """What was chosen for this run, for its reports."""
    option = config.option
    return {
        "Runtime": getattr(option, "anomod_runtime_took", option.anomod_runtime),
        "Injector": option.anomod_injector,
        "Durations": f"{option.anomod_durations} x {option.anomod_scale:g}",
        "Seed": str(option.anomod_seed),
        "Dataset": option.anomod_out,
    }

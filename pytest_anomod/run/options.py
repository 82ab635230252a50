"""The options of the command line as values."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.scenario import PROFILES, Durations

AUTO = "auto"  # the same word as choice.AUTO, whose module only those need who say it


def store_url(config: pytest.Config) -> str:
    """The URL of the object store that the dataset goes to; "" for a directory of this machine."""
    out = str(config.option.anomod_out)
    return out if "://" in out else ""


def dataset_place(config: pytest.Config) -> Path:
    """The dataset's root for reading: a directory, or the place in an object store."""
    if not store_url(config):
        return out_directory(config)
    from pytest_anomod.dataset import layout

    return layout.place(store_url(config))


def out_directory(config: pytest.Config) -> Path:
    """Where cases are recorded: the dataset's root, or for an object store where they wait until they are sent.

    A relative one is taken from where pytest was called.
    """
    if store_url(config):
        from pytest_anomod.dataset.store import waiting_room

        return waiting_room(store_url(config))
    return Path(config.invocation_params.dir, config.option.anomod_out).absolute()


def durations(config: pytest.Config) -> Durations:
    """The window lengths that the command line asks for."""
    option = config.option
    scaled = PROFILES[option.anomod_durations].scaled(option.anomod_scale)
    return dataclasses.replace(scaled, history_s=option.anomod_history)


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
        "Durations": f"{option.anomod_durations} x {option.anomod_scale:g}"
        + (f", history {option.anomod_history:g} s" if option.anomod_history else ""),
        "Seed": str(option.anomod_seed),
        "Dataset": redact_text(option.anomod_out),
    }

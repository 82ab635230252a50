"""Prints messages while tests are collected or run, once a run, by a directory that its workers share."""

from __future__ import annotations

import contextlib
import sys
import zlib
from pathlib import Path

import pytest

NOTES = "anomod_notes"  # the same word as distribution.NOTES, which belongs to a layer above
_told_key = pytest.StashKey[set[str]]()


def shared_notes(config: pytest.Config) -> Path | None:
    """The directory that the workers of a run share; None without workers."""
    notes = getattr(config, "workerinput", {}).get(NOTES)
    return Path(notes) if notes else None


def tell(config: pytest.Config, line: str) -> None:
    """Say something at once, while tests are collected; of a worker only its standard error reaches the user."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        sys.stderr.write(f"\nanomod: {line}\n")
        sys.stderr.flush()


def tell_once(config: pytest.Config, line: str) -> None:
    """The same, once a run: of the workers the first says it."""
    told = config.stash.setdefault(_told_key, set())
    if line in told:
        return
    told.add(line)
    notes = shared_notes(config)
    try:
        if notes is not None:
            Path(notes, f"told-{zlib.crc32(line.encode()):08x}").touch(exist_ok=False)
    except FileExistsError:
        return
    except OSError:
        pass  # a worker on another machine can't reach it: it prints by itself
    tell(config, line)

"""A compiled experiment is played again by `chaos run FILE`, in a process without pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_anomod
from pytest_anomod.chaos.toolkit import problems
from pytest_anomod.model.journal import read_journal
from pytest_anomod.testing import FakeFault, Lie

ENTRY_POINTS = """\
[pytest_anomod.faults]
fake = pytest_anomod.testing:FakeFault
[pytest_anomod.runtimes]
fake = fakes_on_offer:runtime
[pytest_anomod.injectors]
fake = fakes_on_offer:injector
"""
ON_OFFER = """\
from pytest_anomod.testing import FakeInjector, FakeRuntime
runtime, injector = FakeRuntime(), FakeInjector()
"""


def _chaos_run(tmp_path: Path, experiment: dict, *options: str):
    """Run the CLI where a third party's package offers the fakes through entry points."""
    offers = tmp_path / "offers"
    (offers / "fakes-1.dist-info").mkdir(parents=True)
    (offers / "fakes-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: fakes\nVersion: 1\n")
    (offers / "fakes-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (offers / "fakes_on_offer.py").write_text(ON_OFFER)
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    chaos = [sys.executable, "-c", "from chaostoolkit.__main__ import cli; cli()", "--no-version-check"]
    done = subprocess.run(
        [*chaos, "run", *options, "--rollback-strategy", "always", "experiment.json"],
        cwd=tmp_path,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(offers), str(Path(pytest_anomod.__file__).parents[1])]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    journal = tmp_path / "journal.json"
    assert journal.exists(), done.stderr
    return read_journal(json.loads(journal.read_text()))


@pytest.mark.parametrize(("lie", "refused"), [(Lie.NONE, ()), (Lie.INJECT_FAILS, ("seen", "hold", "recovery"))])
def test_chaos_run_plays_it_and_stops_after_a_failed_inject(player, tmp_path, lie, refused):
    fault = FakeFault(lie=lie, text="$HOME ${HOME}")
    journal = _chaos_run(tmp_path, player.compile(fault=fault), "--var", "HOME=trapped")
    assert journal.refused == refused
    assert bool(problems(journal)) is bool(refused)
    assert player.world["fault_in"] is False
    assert player.world["calls"].count("recover") == 1
    if not refused:
        assert journal.deviated
        assert journal.activity("inject").output["text"] == "$HOME ${HOME}"

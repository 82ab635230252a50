"""A boot that waits for its turn holds no cores: a case that keeps it waiting may be waiting for these."""

from __future__ import annotations

import contextlib

import pytest
from demo_of_runtimes import DEMO

from pytest_anomod.host import leases
from pytest_anomod.model.runtime import Session
from pytest_anomod.runtimes.commands import runtime as commands
from pytest_anomod.runtimes.process import runtime as process


def cores_held() -> list[tuple[str, float]]:
    """What is leased or asked for, by purpose."""
    table = leases._Table(leases._demands_file().parent)
    return [(entry["purpose"], entry["cores"]) for entry in table._living()]


@pytest.mark.parametrize("module", [process, commands], ids=["process", "commands"])
def test_a_boot_leases_cores_once_it_is_its_turn(module, tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    runtime = {process: process.ProcessRuntime, commands: commands.CommandsRuntime}[module]()
    seen = {}
    take = module.boot_lock

    @contextlib.contextmanager
    def turn(purpose):
        seen["queued"] = cores_held()
        with take(purpose):
            yield

    def boot(*_):
        seen["booting"] = cores_held()
        return "deployment"

    monkeypatch.setattr(module, "boot_lock", turn)
    monkeypatch.setattr(module, "ensure_guardian", lambda directory: None)
    monkeypatch.setattr(type(runtime), "refusal", lambda self, system: "")
    monkeypatch.setattr(type(runtime), "_boot", lambda self, *_: boot())
    monkeypatch.setattr(commands.plans, "fixed_ports", lambda system: {})
    session = Session(run_id="run", worker="gw0", directory=tmp_path, out=tmp_path)
    assert runtime.up(DEMO, session) == "deployment"
    assert seen == {"queued": [], "booting": [(f"boot of {DEMO.name} of run/gw0", leases.BOOT_CORES)]}
    assert cores_held() == []

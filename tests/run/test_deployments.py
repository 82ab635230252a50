"""What a pytest process says while it has systems up."""

from __future__ import annotations

import math
import types

import pytest

from pytest_anomod import testing
from pytest_anomod.host import waits as waits_module
from pytest_anomod.host.waits import waits
from pytest_anomod.run import telling
from pytest_anomod.run.deployments import Deployments


def make_config(tmp_path, **worker):
    """As much of a configuration as a session needs; with `worker` that of a worker."""
    config = types.SimpleNamespace(
        option=types.SimpleNamespace(anomod_out="out", anomod_seed=1, anomod_runtime="fake"),
        hook=types.SimpleNamespace(pytest_anomod_deployment_ready=lambda deployment: None),
        invocation_params=types.SimpleNamespace(dir=tmp_path),
        stash=pytest.Stash(),
        pluginmanager=types.SimpleNamespace(get_plugin=lambda name: None),
    )
    if worker:
        config.workerinput = worker
    return config


class Runtime(testing.FakeRuntime):
    """Has something to say of each deployment."""

    def up(self, system, session, *, entry_port=None, seed=1):
        deployment = super().up(system, session)
        deployment.notes = ("no home",)
        return deployment


def bring_up(config):
    session = Deployments(config)
    try:
        for _ in range(2):
            runtime = Runtime()
            session.discard(runtime, session.deployment(runtime, testing.FAKE_SYSTEM))
    finally:
        session.close()


@pytest.mark.parametrize("workers", [0, 3])
def test_what_is_unusual_of_a_deployment_is_said_once_a_run(workers, tmp_path, monkeypatch, capfd):
    """However many deployments and workers there are."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "notes").mkdir()
    for number in range(workers or 1):
        worker = {telling.NOTES: str(tmp_path / "notes"), "workerid": f"gw{number}", "testrunuid": "run"}
        bring_up(make_config(tmp_path, **worker if workers else {}))
    assert capfd.readouterr().err == "\nanomod: no home\n"


def test_the_user_is_told_of_long_waits(tmp_path, monkeypatch, capfd):
    """Of a worker only standard error reaches the terminal."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(waits_module, "TELL_AFTER_S", 0.0)
    monkeypatch.setattr(waits, "say", None)
    tries = iter([False, False, True])
    bring_up(make_config(tmp_path))
    waits.until(lambda: next(tries), "the boot lock", lambda: "process 7", give_up_s=math.inf, every_s=0.0)
    said = "\nanomod: no home\n\nanomod: waiting for the boot lock, held by process 7; end that or wait\n"
    assert capfd.readouterr().err == said


def test_a_deployment_is_warm_for_its_second_case_and_a_new_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    session, runtime = Deployments(make_config(tmp_path)), Runtime()
    try:
        first = session.deployment(runtime, testing.FAKE_SYSTEM)
        assert not session.is_warm(first)
        assert session.is_warm(session.deployment(runtime, testing.FAKE_SYSTEM))
        session.discard(runtime, first)
        second = session.deployment(runtime, testing.FAKE_SYSTEM)
        assert not session.is_warm(second)
        session.discard(runtime, second)
    finally:
        session.close()

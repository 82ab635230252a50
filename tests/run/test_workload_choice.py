"""--anomod-workload evomaster: a suite is written once, on a deployment of its own, and replayed from then on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.run import workload_choice
from pytest_anomod.workloads import evomaster

SUITE = 'import requests\nbase_url = "http://127.0.0.1:5"\ndef test_one():\n    requests.get(base_url)\n'
PROGRAM = evomaster.Program(command=("evomaster",), version="1", found="/bin/evomaster")


class Deployments:
    """Brings up what only has an address, and notes what is up and down."""

    def __init__(self, config) -> None:
        self.config = config
        self.log: list[str] = []
        self._up: SimpleNamespace | None = None

    def runtime(self, declaration) -> str:
        return "fake"

    def deployment(self, runtime, system) -> SimpleNamespace:
        if self._up is None:
            self.log.append("up")
            self._up = SimpleNamespace(entry_url="http://127.0.0.1:5")
        return self._up

    def discard(self, runtime, deployment) -> None:
        assert deployment is self._up
        self.log.append("down")
        self._up = None


@pytest.fixture
def deployments(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(evomaster, "find", lambda: PROGRAM)
    monkeypatch.setattr(evomaster, "document_of", lambda _: ("/openapi.json", {"paths": {}}))
    monkeypatch.setattr(workload_choice, "tell_once", lambda config, line: made.log.append(line))
    option = SimpleNamespace(anomod_workload="evomaster:30s", anomod_suite=None, anomod_seed=3)
    made = Deployments(SimpleNamespace(option=option))
    return made


@pytest.fixture
def declaration():
    return SimpleNamespace(system=catalog.find("systems", "social_network"))


def test_it_is_written_once_on_a_deployment_of_its_own(deployments, declaration, monkeypatch):
    def generate(program, system, entry_url, folder, **asked):
        deployments.log.append(f"generate {asked['seed']} {asked['search_s']}")
        folder.mkdir(parents=True)
        (folder / "test_one.py").write_text(SUITE)
        (folder.parent / evomaster.MADE).write_text("{}")

    monkeypatch.setattr(evomaster, "generate", generate)
    first = workload_choice.chosen_workload(deployments, declaration)
    told = "evomaster searches for 30 s, on a deployment of its own (/bin/evomaster)"
    assert deployments.log == ["up", told, "down", "up", "generate 3 30", "down"]
    assert first.title == "suite:evomaster-30s"
    deployments.log.clear()
    assert workload_choice.chosen_workload(deployments, declaration) == first
    assert deployments.log == ["up"]


def test_where_it_fails_the_deployment_is_taken_down(deployments, declaration, monkeypatch):
    def generate(*_, **__):
        raise CaptureError("evomaster wrote no suite")

    monkeypatch.setattr(evomaster, "generate", generate)
    with pytest.raises(CaptureError, match="wrote no suite"):
        workload_choice.chosen_workload(deployments, declaration)
    assert deployments.log[-1] == "down"

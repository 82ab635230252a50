"""An experiment within our windows: held at their edges, seen by its hypothesis or by nobody, then rolled back."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from pytest_anomod.chaos.compile import compile_experiment
from pytest_anomod.chaos.toolkit import play, problems
from pytest_anomod.checks.mechanism import check_mechanism
from pytest_anomod.faults._experiment import Experiment
from pytest_anomod.injectors._chaostoolkit import OFFER
from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import read_journal
from pytest_anomod.model.verdict import Outcome
from pytest_anomod.testing import QUICK, fake_deployment, fake_scenario, offered

FILE = "chaos/switch.yaml"


def document(folder: Path, watched: str) -> dict:
    """An experiment that touches on.txt; its hypothesis is that `watched` is not there."""
    exists = {"type": "python", "module": "os.path", "func": "exists", "arguments": {"path": watched}}
    process = {"type": "process", "path": "sh"}
    return {
        "title": "a switch",
        "description": "It is thrown, and thrown back.",
        "steady-state-hypothesis": {
            "title": "it is off",
            "probes": [{"type": "probe", "name": "is-off", "tolerance": False, "provider": exists}],
        },
        "method": [
            {"type": "action", "name": "on", "provider": {**process, "arguments": ["-c", "touch on.txt"]}},
            {"type": "action", "name": "on-again", "provider": {**process, "arguments": ["-c", "touch on.txt"]}},
        ],
        "rollbacks": [
            {
                "type": "action",
                "name": "off",
                "provider": {**process, "arguments": ["-c", "rm on.txt; echo >> off.txt"]},
            }
        ],
    }


class Framed:
    """One experiment played within our windows, on a fake system."""

    def __init__(self, folder: Path, watched: str) -> None:
        self.folder, self.edges = folder, []
        self.deployment = fake_deployment(folder / "deployment")
        spec = {"document": document(folder, watched), "folder": str(folder), "var_files": [], "framed": True}
        OFFER.offer(FILE, spec)
        self.fault = Experiment(file=FILE, title="a switch", seen_by="hypothesis")
        self.scenario = fake_scenario(fault=self.fault)
        experiment = compile_experiment(
            self.scenario,
            self.deployment.ref,
            injector="chaostoolkit",
            records=str(folder / "responses.jsonl"),
            tempo=QUICK,
        )
        raw = play(experiment, on_edge=self.hear)
        OFFER.recover(self.fault, self.deployment, self.scenario.target)  # as every case does at its end
        self.journal = read_journal(raw)
        self.result = OFFER.results.get(FILE)

    def hear(self, edge: str) -> None:
        self.edges.append((edge, (self.folder / "on.txt").exists()))

    def output(self, name: str) -> dict:
        activity = self.journal.activity(name)
        assert activity is not None
        return activity.output

    def mechanism(self) -> tuple[Outcome, str]:
        finding = check_mechanism(types.SimpleNamespace(journal=self.journal, scenario=self.scenario))
        return finding.outcome, finding.message


@pytest.fixture
def framed(tmp_path):
    """Plays one; `watched` is the file that its hypothesis watches."""
    with offered():
        yield lambda watched: Framed(tmp_path, watched)


def test_a_deviation_of_its_hypothesis_shows_the_fault(framed):
    """Method and rollbacks lie at the edges of our windows, and the journal of chaoslib is whole."""
    played = framed("on.txt")
    assert problems(played.journal) == ()
    assert dict(played.edges) == {
        "baseline": False, "onset": False, "anomaly": True, "release": True, "recovery": False, "end": False,
    }  # fmt: skip
    assert played.output(names.SEEN)["evidence"] == {"deviated": "is-off", "answer": True}
    assert played.output(names.HOLD)["held_ratio"] == 1.0
    assert played.mechanism()[0] is Outcome.PROVEN
    assert played.result["journal"]["deviated"] is True
    assert [entry["activity"]["name"] for entry in played.result["journal"]["rollbacks"]] == ["off"]
    assert played.result["again"]["steady_state_met"] is True
    assert (played.folder / "off.txt").read_text().count("\n") == 1


def test_what_nobody_can_see_is_not_asked_and_never_proven(framed):
    """The hypothesis watches something else, and holds: the window is recorded, the verdict says so."""
    played = framed("elsewhere.txt")
    assert problems(played.journal) == ()
    assert [edge for edge, _ in played.edges] == ["baseline", "onset", "anomaly", "release", "recovery", "end"]
    outcome, message = played.mechanism()
    assert outcome is Outcome.NOT_ASKED
    assert "nobody could see experiment in" in message
    assert "its hypothesis held all the while" in message
    assert not (played.folder / "on.txt").exists()


def test_a_hypothesis_that_does_not_hold_before_keeps_the_method_from_being_played(framed, tmp_path):
    """Nothing is touched, and the fault counts as never put in."""
    (tmp_path / "there.txt").touch()
    played = framed("there.txt")
    assert "its hypothesis does not hold before" in problems(played.journal)[0]
    assert played.mechanism() == (Outcome.ABSENT, "experiment in app was never injected: the case ended before")
    assert played.result["journal"]["run"] == []
    assert played.result["journal"]["steady_states"]["before"]["steady_state_met"] is False
    assert not (tmp_path / "on.txt").exists()


def test_an_experiment_is_no_fault_to_declare():
    """It takes a file: it is found by name, and not on offer; its injector plays nothing else."""
    from pytest_anomod.faults import StopService
    from pytest_anomod.model import catalog

    assert "experiment" not in catalog.offers("faults")
    assert "chaostoolkit" not in catalog.offers("injectors")
    assert catalog.make_fault("experiment", {"file": FILE, "title": "t"}) == Experiment(file=FILE, title="t")
    runtime, system = catalog.find("runtimes", "process"), catalog.find("systems", "social_network")
    assert "experiments of files" in OFFER.refusal(StopService(), "media-service", system, runtime)
    assert OFFER.refusal(Experiment(file=FILE, title="t"), "media-service", system, runtime) == ""


def test_an_experiment_that_never_began_is_not_begun_to_be_undone(tmp_path):
    """A signal before the onset: the method that waits is not let go, and neither method nor rollbacks are played."""
    deployment = fake_deployment(tmp_path / "deployment")
    spec = {"document": document(tmp_path, "on.txt"), "folder": str(tmp_path), "var_files": [], "framed": True}
    OFFER.offer(FILE, spec)
    fault = Experiment(file=FILE, title="a switch", seen_by="hypothesis")
    OFFER.prepare(fault, deployment, "app")
    for _ in range(3):
        OFFER.recover(fault, deployment, "app")
    assert OFFER.results[FILE]["error"] == "its method was never begun"
    assert not any((tmp_path / name).exists() for name in ("on.txt", "off.txt"))


@pytest.mark.parametrize("seen_by", ["down", "restarted"])
def test_known_actions_are_seen_by_looks_of_ours(tmp_path, seen_by):
    """A stopped service is down, and none of its processes is there; a restart stays seen until the rollbacks."""
    from pytest_anomod.injectors._chaostoolkit import ChaosToolkitInjector, _Going, _running

    deployment, injector = fake_deployment(tmp_path / "deployment"), ChaosToolkitInjector()
    fault = Experiment(file=FILE, title="a switch", seen_by=seen_by)
    going = injector._going[FILE] = _Going(played=None, before=_running(deployment, "app"))
    assert not injector.active(fault, deployment, "app")
    deployment.world.write(stopped=["app"])
    assert injector.active(fault, deployment, "app")
    deployment.world.write(stopped=[])
    assert injector.active(fault, deployment, "app").active is (seen_by == "restarted")
    going.is_released = True
    assert not injector.active(fault, deployment, "app")


def test_a_probe_that_the_file_names_is_within_its_tolerance_while_the_fault_is_in(tmp_path):
    """It is asked by the experiment's own process, while its method is held."""
    spec_document = document(tmp_path, "elsewhere.txt")
    probe = {"type": "python", "module": "os.path", "func": "exists", "arguments": {"path": "on.txt"}}
    spec_document["method"].append({"type": "probe", "name": "is-on", "tolerance": True, "provider": probe})
    deployment = fake_deployment(tmp_path / "deployment")
    OFFER.offer(FILE, {"document": spec_document, "folder": str(tmp_path), "var_files": [], "framed": True})
    fault = Experiment(file=FILE, title="a switch", seen_by="probe:is-on")
    OFFER.prepare(fault, deployment, "app")
    try:
        assert not OFFER.active(fault, deployment, "app")
        OFFER.inject(fault, deployment, "app")
        assert OFFER.active(fault, deployment, "app").evidence == {"is-on": True}
    finally:
        OFFER.recover(fault, deployment, "app")
        OFFER.recover(fault, deployment, "app")
    assert OFFER.results[FILE]["again"]["steady_state_met"] is True

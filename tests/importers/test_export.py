"""`anomod export-experiment`: what is written is read back as the same fault, and is played where we are not."""

from __future__ import annotations

import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from pytest_anomod import cli
from pytest_anomod.declare import anomaly
from pytest_anomod.faults import (
    CodeException,
    CpuContention,
    DnsFailure,
    HttpAbort,
    HttpDelay,
    KillService,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
    PauseService,
    StopService,
)
from pytest_anomod.importers import export, reading
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import Durations

PLACE = {"namespace": "default", "label": "app"}
SHORT = Durations(warmup_s=0.01, baseline_s=0.01, anomaly_s=0.01, recovery_s=0.01)
TARGET = "ts-preserve-service"


def scenario_of(fault, durations=SHORT):
    declared = anomaly(system="train_ticket", fault=fault, target=TARGET if fault else None)(lambda case: None)
    declaration = declared.__anomod_declaration__
    return declaration.scenario("some_name", durations=durations, rate_rps=None, seed=1)


def read_back(text, tmp_path, aims_for):
    path = tmp_path / "exported.yaml"
    path.write_text(text)
    (experiment,) = reading.read(path, aims_for("")).experiments
    (planned,) = experiment.planned
    assert planned.target == TARGET
    return planned.fault


@pytest.mark.parametrize(
    "fault",
    [
        NetworkDelay(delay_ms=120, jitter_ms=20),
        NetworkLoss(percent=30),
        NetworkBandwidth(rate_kbit=256),
        NetworkPartition(peers=("ts-order-service",)),
        DnsFailure(peers=("ts-order-service", "ts-order-other-service")),
        HttpAbort(percent=100, status=502, method="GET", path="/api/"),
        HttpDelay(percent=100, delay_ms=700, header="X-Group: beta"),
        NetworkDelay(delay_ms=40, on_s=4, off_s=2),
        KillService(once=True),
        StopService(),
        CpuContention(burners=3),
    ],
    ids=repr,
)
def test_a_manifest_of_chaos_mesh_is_read_back_as_the_same_fault(fault, tmp_path, aims_for):
    assert read_back(export.FORMS["chaos-mesh"](scenario_of(fault), [], **PLACE), tmp_path, aims_for) == fault


@pytest.mark.parametrize(
    "fault",
    [
        NetworkDelay(delay_ms=120, jitter_ms=20),
        NetworkLoss(percent=30),
        NetworkBandwidth(rate_kbit=256),
        NetworkPartition(peers=("ts-order-service",)),
        DnsFailure(peers=("ts-order-service", "ts-order-other-service")),
        HttpAbort(percent=40, status=502, method="", path="/"),
        HttpDelay(percent=100, delay_ms=700, method="", path="/"),
        KillService(period_s=3),
        CpuContention(burners=3),
    ],
    ids=repr,
)
def test_an_engine_of_litmus_is_read_back_as_the_same_fault(fault, tmp_path, aims_for):
    assert read_back(export.FORMS["litmus"](scenario_of(fault), [], **PLACE), tmp_path, aims_for) == fault


def test_what_a_form_can_not_hold_is_said(tmp_path):
    lost = []
    export.FORMS["litmus"](scenario_of(HttpAbort(percent=40)), lost, **PLACE)
    assert any("40 % of the connections there" in one for one in lost)
    assert any("POST /" in one for one in lost)


def test_pods_are_those_that_are_said():
    place = {"namespace": "shop", "label": "app.kubernetes.io/name"}
    spec = yaml.safe_load(export.FORMS["chaos-mesh"](scenario_of(StopService()), [], **place))["spec"]
    assert spec["selector"] == {"namespaces": ["shop"], "labelSelectors": {"app.kubernetes.io/name": TARGET}}


@pytest.fixture
def entry():
    """A server that answers 200; its URL."""

    class Well(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Well)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def cluster(monkeypatch):
    """What chaosk8s is told to create and to delete; there is no cluster behind it."""
    told = []
    module = types.ModuleType("chaosk8s.crd.actions")

    def create_custom_object(group, version, plural, ns="default", resource=None):
        told.append(("create", plural, resource["metadata"]["name"]))

    def delete_custom_object(group, version, plural, name, ns="default"):
        told.append(("delete", plural, name))

    module.create_custom_object, module.delete_custom_object = create_custom_object, delete_custom_object
    for name, one in {"chaosk8s": types.ModuleType("chaosk8s"), "chaosk8s.crd": types.ModuleType("crd")}.items():
        monkeypatch.setitem(sys.modules, name, one)
    monkeypatch.setitem(sys.modules, "chaosk8s.crd.actions", module)
    return told


def test_a_chaos_toolkit_experiment_is_played_without_us(entry, cluster, monkeypatch, tmp_path):
    from chaoslib.experiment import ensure_experiment_is_valid, run_experiment

    monkeypatch.setenv("ENTRY_URL", entry)
    monkeypatch.chdir(tmp_path)
    text = export.FORMS["chaostoolkit"](scenario_of(NetworkLoss(percent=30)), [], **PLACE)
    assert "pytest_anomod" not in text
    document = json.loads(text)
    ensure_experiment_is_valid(document)
    journal = run_experiment(document)
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    assert cluster == [("create", "networkchaos", "some-name"), ("delete", "networkchaos", "some-name")]


def test_where_chaos_mesh_has_nothing_blade_does_it():
    document = json.loads(export.FORMS["chaostoolkit"](scenario_of(PauseService()), [], **PLACE))
    create, destroy = (part[0]["provider"]["arguments"] for part in (document["method"], document["rollbacks"]))
    assert create[:4] == ["create", "cri", "process", "stop"]
    assert destroy == ["destroy", create[create.index("--uid") + 1]]


def test_a_control_is_only_an_experiment_of_chaos_toolkit():
    document = json.loads(export.FORMS["chaostoolkit"](scenario_of(None), [], **PLACE))
    assert [one["type"] for one in document["method"]] == ["probe"]
    for form in ("chaos-mesh", "litmus"):
        with pytest.raises(ScenarioError, match="a control"):
            export.FORMS[form](scenario_of(None), [], **PLACE)


@pytest.mark.parametrize("form", export.FORMS)
def test_what_has_no_like_elsewhere_is_refused(form):
    fault = CodeException(function="a:B.c", probe="GET /x")
    with pytest.raises(ScenarioError, match="CodeException"):
        export.FORMS[form](scenario_of(fault), [], **PLACE)


MINE = """
from pytest_anomod import anomaly
from pytest_anomod.faults import NetworkPartition, PauseService


# needs what no process has: that is no matter for who writes it down
@anomaly(system="train_ticket", fault=NetworkPartition(peers=("ts-order-service",)), target="ts-preserve-service")
def test_apart(case):
    case.run()


@anomaly(system="train_ticket", fault=PauseService(), target="ts-order-service")
def test_stuck(case):
    case.run()
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A directory with tests of one's own; the name of their file. No other test's module has that name."""
    name = f"test_of_{tmp_path.name}.py"
    (tmp_path / name).write_text(MINE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    return name


def test_scenarios_are_found_by_name_and_by_node_id(mine, capsys):
    for name in ("apart", "test_apart", f"{mine}::test_apart"):
        assert cli.main(["export-experiment", name, "--as", "chaos-mesh"]) == 0
        said = capsys.readouterr()
        assert yaml.safe_load(said.out)["spec"]["action"] == "partition"
        assert "not held: the workload, the modalities and the proof" in said.err


def test_of_several_faults_the_first_is_written_and_the_others_are_told(mine, capsys):
    two = (
        MINE.replace("def test_apart", "def test_first")
        + """

@anomaly(system="social_network", fault=[PauseService(), PauseService()], target=["user-service", "text-service"])
def test_both(case):
    case.run()
"""
    )
    Path(mine).write_text(two)
    assert cli.main(["export-experiment", f"{mine}::test_both", "--as", "chaostoolkit"]) == 0
    said = capsys.readouterr()
    assert "not held: the other fault, pause_service in text-service" in said.err
    assert "user-service" in said.out


def test_mistakes_end_in_one_line(mine, capsys):
    assert cli.main(["export-experiment", "apartt", "--as", "litmus"]) == 2
    assert "no scenario 'apartt' among 2" in capsys.readouterr().err
    assert cli.main(["export-experiment", "stuck", "--as", "litmus"]) == 2
    assert "it can be written --as chaostoolkit" in capsys.readouterr().err
    assert cli.main(["export-experiment", "none.py::test_x", "--as", "litmus"]) == 2
    assert "file or directory not found: none.py" in capsys.readouterr().err


def test_a_file_that_is_there_stays(mine, capsys):
    words = ["export-experiment", "apart", "--as", "litmus", "-o", "apart.yaml"]
    assert cli.main(words) == 0
    assert cli.main(words) == 2
    assert "apart.yaml is there already" in capsys.readouterr().err

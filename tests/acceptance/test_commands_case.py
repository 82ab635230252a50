"""A team's own Procfile in an empty folder: cases of plain commands, without Docker and root, come out as declared."""

from __future__ import annotations

import signal
import time

import pytest
from outside import pytest_words, verdicts, wait_until_in
from runtimes.tiny_server import SERVER

from pytest_anomod import load_dataset
from pytest_anomod.host import processes
from pytest_anomod.model import clock
from pytest_anomod.runtimes.commands import teardown

PROCFILE = """\
stock: echo "started with $SHOP_PASSWORD"; exec python3 server.py stock
prices: python3 server.py prices
front: python3 server.py front http://127.0.0.1:{stock} http://127.0.0.1:{prices}
"""
CONFTEST = """\
from pytest_anomod import procfile_system, visit

shop = procfile_system(
    "Procfile",
    name="shop",
    env={"SHOP_PASSWORD": "never-to-be-seen"},
    journeys=[visit("/items"), visit("/orders", weight=2)],
)
"""
TESTS = """\
from pytest_anomod import anomaly
from pytest_anomod.faults import CpuContention, HttpAbort, KillService, NetworkDelay, PauseService


@anomaly(system="shop")
def test_control(case):
    case.run()
"""
FAULTS = {
    "kill": "KillService()",
    "pause": "PauseService()",
    "cpu": "CpuContention()",
    "delay": "NetworkDelay()",
    "abort": 'HttpAbort(method="GET")',
}


@pytest.fixture
def folder(tmp_path):
    """A folder with the program, its Procfile, a conftest.py and the tests."""
    tests = TESTS
    for name, fault in FAULTS.items():
        tests += f'\n\n@anomaly(system="shop", fault={fault}, target="stock")\ndef test_{name}(case):\n    case.run()\n'
    texts = {"server.py": SERVER, "Procfile": PROCFILE, "conftest.py": CONFTEST, "test_chaos.py": tests}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def words(*more):
    """`auto` takes the runtime by itself: no other takes a Procfile."""
    return [*pytest_words(*more), "--anomod-runtime=auto"]


def test_every_case_comes_out_as_declared(start, folder):
    """A control and five faults; logs, metrics and answers are there, traces and coverage are said to be absent."""
    run = start(*words("--anomod-scale=0.5", "--junitxml=junit.xml", "--anomod-out=dataset"))
    code = run.wait(400)
    rows = verdicts(folder / "junit.xml")
    assert {name: row["anomod_verdict"] for name, row in rows.items()} == {
        "control": "normal",
        **dict.fromkeys(FAULTS, "effective"),
    }, run.output
    assert code == 0
    logs = load_dataset(folder / "dataset").table("logs")
    assert set(logs["service_name"]) == {"stock", "prices", "front"}
    assert logs["body"].str.contains("GET /items").any()
    told = logs["body"][logs["body"].str.startswith("started with")]
    assert {*told} == {"started with [redacted]"}, "a killed service starts again, and prints its password"
    for path in (folder / "junit.xml", *(folder / "dataset").rglob("*.json")):
        assert "never-to-be-seen" not in path.read_text(), path
    assert "never-to-be-seen" not in run.output


def test_nothing_is_left_when_pytest_is_killed_under_a_fault(start, folder):
    """Within 10 s."""
    durations = "durations=Durations(warmup_s=1, baseline_s=0.5, anomaly_s=120, recovery_s=1), "
    text = (folder / "test_chaos.py").read_text().replace("fault=NetworkDelay()", f"{durations}fault=NetworkDelay()")
    (folder / "test_chaos.py").write_text(text.replace("import anomaly", "import Durations, anomaly"))
    run = start(*words("-k", "delay", "--anomod-out=dataset"))
    (ref,) = wait_until_in(run)
    family = teardown.processes_of(ref["tag"], folder)
    assert len(family) >= 5, "a host, three services, a relay"
    run.kill()
    began = time.monotonic()
    clock.wait_until(
        lambda: not any(processes.is_same(*each) for each in family.items()), timeout_s=10.0, what="all to be ended"
    )
    clock.wait_until(
        lambda: not list((run.state / "sessions").iterdir()),
        timeout_s=10.0 - (time.monotonic() - began),
        what="the guardian to clear up",
    )


def test_it_can_be_brought_up_to_play_with(start, folder):
    """`anomod up` finds what conftest.py of the directory defines; Ctrl-C takes it down."""
    run = start("up", "shop", program="pytest_anomod.cli")
    clock.wait_until(lambda: "shop is up at http://127.0.0.1:" in run.output, timeout_s=60.0, what="it to be up")
    assert "runtime: commands" in run.output
    run.signal_group(signal.SIGINT)
    assert run.wait(30) == 0, run.output

"""A Go service that was built with our overlay: lines in each window, and spans of what it serves, calls and stores."""

import os
import shutil
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.agents.go import LANGUAGE
from pytest_anomod.agents.language import INSIDE, Place, Reach
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Agents
from pytest_anomod.sources.otlp.receiver import OtlpReceiver

SERVICE = Path(__file__).with_name("go_service")
TRACE = "0af7651916cd43dd8448eb211c80319c"
pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine"),
    pytest.mark.xdist_group("go_live"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    directory = tmp_path_factory.mktemp("go")
    overlay = ["go", "run", INSIDE / "go" / "overlay.go", directory / "overlay"]
    flags = subprocess.run(overlay, check=True, capture_output=True, text=True).stdout.strip()
    env = {**os.environ, "GOFLAGS": flags, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", directory / "probe", "."], check=True, cwd=SERVICE, env=env)
    return directory / "probe"


@pytest.fixture
def receiver():
    receiver = OtlpReceiver()
    receiver.start()
    yield receiver
    receiver.close()


@pytest.fixture
def begin(program):
    """Begins processes of the service: the process, where it listens, and its agent."""
    begun = []

    def one(run, otlp_url="", **own):
        asked = Agents("go")
        place = Place(service="probe", asked=asked, ours="", library="", run=str(run), otlp_url=otlp_url, own=own)
        env = {**os.environ, **LANGUAGE.environment(place)}
        process = subprocess.Popen([program], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(process)
        reach = Reach(
            service="probe", asked=asked, library=run, run=run, pid=lambda: process.pid, host=lambda: "127.0.0.1"
        )
        return process, process.stdout.readline().strip(), LANGUAGE.agent(reach).ask

    yield one
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def service(begin, tmp_path, receiver):
    _, address, ask = begin(tmp_path, receiver.url)

    def get(path, **headers):
        with urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}", headers=headers)) as answer:
            return answer.read().decode()

    return get, ask


def test_a_line_is_counted_in_the_window_in_which_it_ran(service):
    get, ask = service
    lines = (SERVICE / "main.go").read_text().splitlines()
    few, many = (
        {number for number, line in enumerate(lines, 1) if f'return "{one}"' in line} for one in ("few", "many")
    )
    first = ask("/coverage/snapshot", {"reset": True, "full": True})
    known = first["files"]["main.go"]
    assert few | many <= set(known["executable"])
    assert known["functions"]["size"][0] == min(many) - 2

    windows = [first]
    for count, ran in (("few", few), ("many", many)):
        assert get(f"/sizes/{count}") == count
        windows.append(ask("/coverage/snapshot", {"reset": True}))
        assert set(windows[-1]["files"]["main.go"]["covered"]) & (few | many) == ran
    windows.append(ask("/coverage/snapshot", {"reset": True}))
    assert windows[-1]["files"] == {}
    assert [each["since_unix_nano"] for each in windows[1:]] == [each["at_unix_nano"] for each in windows[:-1]]


def test_a_request_and_what_it_calls_are_one_trace(service, receiver):
    get, ask = service
    assert ask("/hello")["absent"] == {}
    begun = clock.now_ns()
    get("/asks", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    get("/sizes/few", traceparent=f"00-{TRACE}-b7ad6b7169203331-00")  # which asks for no spans

    def spans():
        return {(row[6], row[7]): row for row in receiver.read("traces", begun, clock.now_ns()).rows}

    clock.wait_until(lambda: len(spans()) >= 3, timeout_s=30, what="the spans")
    served, called, below = (
        spans()[key] for key in (("GET /asks", "SERVER"), ("GET", "CLIENT"), ("GET /sizes/{count}", "SERVER"))
    )
    assert {row[3] for row in (served, called, below)} == {TRACE}
    assert (served[5], called[5], below[5]) == ("b7ad6b7169203331", served[4], called[4])
    assert {row[1] for row in spans().values()} == {"probe"}
    assert len(receiver.read("traces", begun, clock.now_ns()).rows) == 3


@pytest.fixture
def store():
    """The address of what takes one connection, and answers as Redis does: an error to what is bad."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with listener.accept()[0] as connection:
                while asked := connection.recv(1_000):
                    connection.sendall(b"-ERR no\r\n" if b"bad" in asked else b"+OK\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_what_a_request_asks_of_a_redis_is_in_its_trace(service, receiver, store):
    begun = clock.now_ns()
    service[0](f"/keeps?at={store}", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")

    def spans():
        return receiver.read("traces", begun, clock.now_ns()).rows

    clock.wait_until(lambda: len(spans()) >= 5, timeout_s=30, what="the spans")
    served = next(row for row in spans() if row[6] == "GET /keeps")
    below = sorted((row for row in spans() if row[5] == served[4]), key=lambda row: row[0])
    assert [(row[6], row[8]) for row in below] == [("SET", "UNSET"), ("SET", "ERROR"), ("GET", "UNSET")]
    assert below[0][10] == {
        "db.system.name": "redis",
        "db.operation.name": "SET",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": int(store.rpartition(":")[2]),
    }
    assert {row[3] for row in spans()} == {TRACE}
    assert len(spans()) == 5


def test_faults_in_code_are_refused(service):
    with pytest.raises(DeploymentError, match="there is no /code/patch in Go"):
        service[1]("/code/patch", {"function": "main:size", "action": "raise"})


def test_after_a_death_the_window_is_not_exact(begin, tmp_path):
    process, _, ask = begin(tmp_path)
    before = ask("/coverage/snapshot", {"reset": True})
    process.kill()
    process.wait()
    with pytest.raises(DeploymentError, match="no process of it answers"):
        ask("/coverage/snapshot", {"reset": True})
    _, _, again = begin(tmp_path)
    assert again("/coverage/snapshot", {"reset": True})["since_unix_nano"] != before["at_unix_nano"]


def test_an_agent_that_fails_says_so_in_one_line_and_the_service_runs(begin, tmp_path):
    process, address, ask = begin(tmp_path / "none", GOCOVERDIR=str(tmp_path))
    with urllib.request.urlopen(f"http://{address}/sizes/many") as answer:
        assert answer.read() == b"many"
    with pytest.raises(DeploymentError, match="no process of it answers"):
        ask("/hello")
    process.kill()
    assert [line.partition(": listen")[0] for line in process.communicate()[1].splitlines()] == ["anomod: no agent"]

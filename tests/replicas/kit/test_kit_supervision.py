"""Processes that die, are stopped, are started again; and deployments that end, each in its own way."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from host_program import wait_for


def segments_of(pids: Iterable[int]) -> list[str]:
    """System V shared memory segments these processes made, and POSIX ones they have mapped."""
    table = Path("/proc/sysvipc/shm")
    rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    made = [row[1] for row in rows if int(row[4]) in set(pids)]
    maps = [Path(f"/proc/{pid}/maps") for pid in pids]
    return made + [str(each) for each in maps if each.exists() and "/dev/shm/" in each.read_text()]


@contextlib.contextmanager
def killed(deployment: Any, name: str) -> Iterator[None]:
    """A part is dead for as long as the block runs: the host, which would bring it back, is held."""
    before = deployment.services()[name]
    host = deployment.process.pid
    os.kill(host, signal.SIGSTOP)
    try:
        os.killpg(before["pid"], signal.SIGKILL)  # the backends of a database live on without it for a while
        wait_for(lambda: refuses(deployment.value["services"][name]["port"]), f"the end of {name}")
        yield
    finally:
        os.kill(host, signal.SIGCONT)
    wait_for(lambda: came_back(deployment, name, before), f"{name} to come back")


def refuses(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def came_back(deployment: Any, name: str, before: dict[str, Any]) -> bool:
    """Whether a part runs in its next instance."""
    now = deployment.services()[name]
    return (now["state"], now["restarts"]) == ("running", before["restarts"] + 1)


def test_killed_service_refuses_then_comes_back_as_a_new_instance(deployment: Any) -> None:
    """The name stays, the port refuses, and then the next instance is up."""
    before = deployment.services()["front"]
    with killed(deployment, "front"):
        assert deployment.note("seeded") == (502, "refused: connect() failed: Connection refused\n")
    assert deployment.note("seeded")[0] == 200
    instance = deployment.lines("spans/front.jsonl")[-1]["service_instance_id"]
    assert instance == f"front-{before['restarts'] + 2}"
    deployment.pids |= {each["pid"]: each["start_time"] for each in deployment.services().values()}


def test_back_off_grows(deployment: Any) -> None:
    """A service killed again and again waits longer each time."""
    for at_least in (0.1, 0.2, 0.4):
        before = deployment.services()["back"]
        started = time.monotonic()
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda before=before: came_back(deployment, "back", before), "it to come back")
        assert time.monotonic() - started >= at_least


def test_stopped_service_loses_its_name_until_it_is_started(deployment: Any) -> None:
    """Stop and start are idempotent; in between the name does not resolve and nobody restarts it."""
    for _ in range(2):
        assert deployment.control("/services/front/stop")[1]["state"] == "stopped"
    assert deployment.note("seeded") == (502, "resolve: Could not resolve host for client socket.\n")
    time.sleep(0.3)
    assert deployment.services()["front"]["pid"] is None
    for _ in range(2):
        assert deployment.control("/services/front/start")[1]["state"] == "running"
    assert deployment.note("seeded")[0] == 200


def test_stop_ends_a_process_that_does_not_listen(deployment: Any) -> None:
    """A service held by SIGSTOP is killed after the grace."""
    os.kill(deployment.services()["front"]["pid"], signal.SIGSTOP)
    assert deployment.control("/services/front/stop")[1]["pid"] is None
    assert deployment.control("/services/front/start")[1]["state"] == "running"


def test_held_service_times_out(deployment: Any) -> None:
    """A service held by SIGSTOP accepts and does not answer: the caller's timeout is what ends the call."""
    pid = deployment.services()["front"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert deployment.note("seeded")[1].startswith("timeout")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert deployment.note("seeded")[0] == 200


REFUSED = {
    "counts": "Failed to connect to Redis: Connection refused",
    "notes": "connection to server failed: Connection refused",
}


@pytest.mark.parametrize(("store", "text"), REFUSED.items())
def test_killed_store_fails_calls_then_clients_reconnect(deployment: Any, store: str, text: str) -> None:
    """While a store is away its callers say so; when it is back they find it again. PostgreSQL keeps its rows."""
    deployment.control(f"/services/{store}/stop")
    assert deployment.note("seeded")[0] == 500
    deployment.control(f"/services/{store}/start")
    assert deployment.note("seeded")[0] == 200

    def refused() -> bool:
        status, body = deployment.note("seeded")
        return status == 500 and text in body

    with killed(deployment, store):
        wait_for(refused, f"the last backend of {store} to end")  # each is in a session of its own
    assert deployment.note("seeded")[0] == 200


def test_redis_limit_is_told_in_redis_own_words(deployment: Any) -> None:
    """A refused write travels up with Redis's text."""
    port = deployment.value["services"]["counts"]["port"]
    tell_redis(port, "CONFIG", "SET", "maxmemory", "1")
    try:
        assert "OOM command not allowed when used memory > 'maxmemory'." in deployment.note("seeded")[1]
    finally:
        tell_redis(port, "CONFIG", "SET", "maxmemory", "0")
    assert deployment.note("seeded")[0] == 200


def tell_redis(port: int, *command: str) -> None:
    """Send one command to Redis in its own protocol and wait for the answer."""
    parts = b"".join(b"$%d\r\n%b\r\n" % (len(part), part.encode()) for part in command)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"*%d\r\n%b" % (len(command), parts))
        assert connection.recv(4096) == b"+OK\r\n"


@pytest.mark.parametrize("ending", ["sigterm", "shutdown", "owner", "kill"])
def test_every_ending_leaves_nothing(launch: Callable[..., Any], ending: str) -> None:
    """Whatever ends the host: no process, no listening port, no shared memory segment stays."""
    made = launch("--owner-pipe").wait()
    with_backends = [child.pid for pid in made.pids for child in psutil.Process(pid).children(recursive=True)]
    made.pids |= {pid: psutil.Process(pid).create_time() for pid in with_backends}
    assert len(made.pids) >= 8  # five parts and the processes of PostgreSQL
    assert not [each for each in segments_of(made.pids) if "/proc/" in each]  # a kill would leave them in /dev/shm
    if ending == "sigterm":
        made.process.terminate()
    elif ending == "shutdown":
        made.control("/shutdown")
    elif ending == "owner":
        made.process.stdin.close()
    else:
        made.process.kill()
    made.process.wait(30)
    wait_for(lambda: not made.left_over() and not made.listening(), "the end of all")
    assert segments_of(made.pids) == []
    if ending in ("sigterm", "shutdown"):
        assert made.process.returncode == 0
        assert not (made.directory / "deployment.json").exists()


def test_port_in_use_is_named(launch: Callable[..., Any]) -> None:
    """Exit code 3, and the error says which port and whose."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = launch("--entry-port", str(port))
        assert made.process.wait(60) == 3
    text = (made.directory / "error.txt").read_text()
    assert text.startswith(f"port {port} for gate cannot be used")
    assert made.process.stderr.read() == text


BROKEN = {
    "service": ("raise RuntimeError('no luck today')\n", "None", "no luck today"),
    "seed": ("SERVICE = Service\n", "seed", "division by zero"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_deployment_that_cannot_come_up_says_why(launch: Callable[..., Any], tmp_path: Path, what: str) -> None:
    """A service or seed that fails ends the host with its last lines, and nothing is announced or left."""
    body, seed, expected = BROKEN[what]
    package = tmp_path / "broken" / "system"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from pytest_anomod.replicas.kit.system import ReplicaSystem, ServiceSpec\n"
        "async def seed(context):\n    1 / 0\n"
        f"SYSTEM = ReplicaSystem(name='broken', package=__name__, entry='bad', seed={seed},\n"
        "    services=(ServiceSpec(name='bad', module='bad', kind='gateway'),))\n"
    )
    (package / "bad.py").write_text(f"from pytest_anomod.replicas.kit.service import Service\n{body}")
    made = launch(system="broken.system")
    assert made.process.wait(60) == 1
    text = (tmp_path / "error.txt").read_text()
    assert expected in text
    assert ("service" if what == "service" else "seed") in text
    assert not (tmp_path / "deployment.json").exists()
    wait_for(lambda: not made.listening(), "the end of all")


def test_without_telemetry_and_coverage(launch: Callable[..., Any]) -> None:
    """With both switched off requests work, and nothing is recorded or measured."""
    made = launch("--no-telemetry", "--no-coverage").wait()
    assert made.note("seeded")[0] == 200
    assert not (made.directory / "logs" / "front.log").exists()
    assert list((made.directory / "spans").iterdir()) == []
    assert made.request(made.value["services"]["front"]["metrics_url"])[::2] == (200, "")
    assert made.agent("front", "/coverage/snapshot", {})[0] == 400


def test_seed_and_token_are_the_callers(launch: Callable[..., Any], tmp_path: Path) -> None:
    """--seed reaches the seed function, --token-file the agents."""
    (tmp_path / "secret").mkdir()
    token = tmp_path / "secret" / "token"
    token.write_text("chosen-by-the-caller\n")
    made = launch("--seed", "17", "--token-file", str(token)).wait()
    assert made.token == "chosen-by-the-caller"
    assert '"body":"17"' in made.note("seeded")[1]
    assert made.agent("front", "/code/patched", method="GET")[0] == 200


def test_module_answers_on_the_command_line() -> None:
    """A wrong call is told how to do it right."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_anomod.replicas.kit.host"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--base-port" in done.stderr) == (2, True)


def test_missing_library_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    """Without the extra the host says what to install, where its owner looks for it."""
    code = (
        "import importlib.util as u, sys; real = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'hiredis' else real(name, *more)\n"
        "from pytest_anomod.replicas.kit.host import main\n"
        f"sys.exit(main(['any', '--dir', {str(tmp_path / 'd')!r}, '--base-port', '20000']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'hiredis: pip install "pytest-anomod[replicas]"' in (tmp_path / "d" / "error.txt").read_text()

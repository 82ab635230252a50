"""Several processes of a service are asked as one agent."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from pytest_anomod.agents.sockets import SocketAgent
from pytest_anomod.model.errors import DeploymentError


@pytest.fixture
def processes(tmp_path):
    """Starts what answers questions by a function, under a name."""
    open_sockets = []

    def start(name, answer):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / f"{name}.sock"))
        listener.listen()
        open_sockets.append(listener)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    question = json.loads(connection.makefile().readline())
                    connection.sendall(json.dumps(answer(question["path"], question["payload"])).encode())

        threading.Thread(target=serve, daemon=True).start()
        return listener

    yield start
    for one in open_sockets:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def snapshot(since, at, covered):
    files = {"app.py": {"covered": covered, "executable": [1, 2, 3], "functions": {"f": [1, 3]}}}
    return lambda path, payload: {"ok": {"since_unix_nano": since, "at_unix_nano": at, "files": files}}


def test_lines_of_all_processes_ran(tmp_path, processes):
    processes("1", snapshot(5, 9, [1]))
    processes("2", snapshot(6, 9, [2]))
    found = SocketAgent("shop", tmp_path).ask("/coverage/snapshot", {"reset": True})
    assert found["files"] == {"app.py": {"covered": [1, 2], "executable": [1, 2, 3], "functions": {"f": [1, 3]}}}
    assert found["since_unix_nano"] == [["1.sock", 5], ["2.sock", 6]]
    assert found["at_unix_nano"] == [["1.sock", 9], ["2.sock", 9]]


def test_what_a_dead_process_left_is_removed(tmp_path, processes):
    processes("1", lambda path, payload: {"ok": [payload["function"]]})
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "2.sock"))
    dead.close()
    assert SocketAgent("shop", tmp_path).ask("/code/restore", {"function": "app:f"}) == ["app:f"]
    assert [path.name for path in tmp_path.iterdir()] == ["1.sock"]


def test_one_process_that_can_is_enough_and_its_error_is_told_when_none_can(tmp_path, processes):
    agent = SocketAgent("shop", tmp_path)
    with pytest.raises(DeploymentError, match="'shop': no process of it answers"):
        agent.ask("/hello")
    processes("1", lambda path, payload: {"error": "no module 'app'"})
    with pytest.raises(DeploymentError, match="no module 'app'"):
        agent.ask("/code/locate", {"function": "app:f"})
    processes("2", lambda path, payload: {"ok": {"file": "app.py"}})
    assert agent.ask("/code/locate", {"function": "app:f"}) == {"file": "app.py"}


def test_raw_snapshots_are_made_into_lines_later(tmp_path, processes):
    processes("1", lambda path, payload: {"ok": {"since_unix_nano": 1, "at_unix_nano": 2, "raw": [7]}})
    agent = SocketAgent("shop", tmp_path, lambda raw: {"app.js": {"covered": raw}})
    taken = agent.ask("/coverage/snapshot", {"reset": True})
    assert "files" not in taken
    made = agent.ask("/coverage/lines", {"snapshots": [taken["raw"]]})
    assert made == [{"app.js": {"covered": [7], "executable": [], "functions": {}}}]


def test_a_socket_far_down_is_reached(tmp_path, processes, monkeypatch):
    far = tmp_path / ("d" * 60) / ("e" * 60)
    far.mkdir(parents=True)
    monkeypatch.chdir(far)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("1.sock")
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.makefile().readline()
            connection.sendall(b'{"ok": "far"}')

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert SocketAgent("shop", far).ask("/hello") == "far"
    thread.join()
    listener.close()

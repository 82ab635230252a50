"""EvoMaster as the workload, with a stand-in that keeps its command line and writes suites of the same form."""

from __future__ import annotations

import dataclasses
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.workloads import evomaster, suite
from pytest_anomod.workloads.login_proxy import placeholders, secrets

STAND_IN = Path(__file__).with_name("evomaster_stand_in.py")
DOCUMENT = {"openapi": "3.0.3", "paths": {"/pages/{id}": {"get": {}}}, "servers": [{"url": "http://somewhere"}]}
SECRET = "todays-secret"


@pytest.fixture
def shop():
    """A system that lets in who has the secret, says it in its pages, and has a document; what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, self.headers["Authorization"], self.headers["Host"]))
            lets_in = self.headers["Authorization"] == f"Bearer {SECRET}"
            body = json.dumps(DOCUMENT if self.path == "/openapi.json" else f"hello {SECRET}").encode()
            self.send_response(200 if lets_in or self.path == "/openapi.json" else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        asked: list[tuple[str, str, str]]
        url = ""

    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.url = [], f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def system():
    """TrainTicket, with the login of the shop."""
    return dataclasses.replace(
        catalog.find("systems", "train_ticket"), login=lambda _: {"Authorization": f"Bearer {SECRET}"}
    )


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The stand-in, found as a command on PATH; a home and a cache of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANOMOD_STAND_IN_CALLS", str(tmp_path / "calls"))
    monkeypatch.delenv(evomaster.JAR, raising=False)
    command = tmp_path / "bin" / "evomaster"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    return evomaster.find()


def written(program, system, shop, **changes) -> Path:
    path, document = evomaster.document_of(shop.url)
    asked = {"seed": 5, "search_s": 60} | changes
    folder = evomaster.place(system, document, program, **asked)
    evomaster.generate(program, system, shop.url, folder, path=path, **asked)
    return folder


def test_it_is_called_as_its_manual_says_behind_the_login(program, system, shop, tmp_path):
    folder = written(program, system, shop)
    words = json.loads((tmp_path / "calls").read_text())
    options = dict(zip(words[::2], words[1::2], strict=True))
    proxy = options["--bbTargetUrl"]
    assert options == {
        "--blackBox": "true", "--problemType": "REST", "--bbSwaggerUrl": f"{proxy}/openapi.json",
        "--bbTargetUrl": proxy, "--outputFormat": "PYTHON_UNITTEST", "--outputFolder": options["--outputFolder"],
        "--maxTime": "60s",
        "--seed": "5", "--header0": "Authorization:Bearer TOKEN",
    }  # fmt: skip
    assert proxy != shop.url
    asked = ("/pages/7", f"Bearer {SECRET}", proxy.removeprefix("http://"))
    assert shop.asked[-1] == asked
    assert sorted(file.name for file in folder.iterdir()) == ["EvoMaster_successes_Test.py", "em_test_utils.py"]


def test_no_secret_is_in_a_file(program, system, shop, tmp_path):
    written(program, system, shop)
    texts = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert any("hello TOKEN" in text for text in texts)
    assert not any(SECRET in text for text in texts)


def test_a_suite_is_kept_by_system_document_version_seed_and_seconds(program, system, shop):
    folder = written(program, system, shop)
    assert evomaster.is_made(folder)
    elsewhere = DOCUMENT | {"servers": [{"url": "http://elsewhere"}]}
    assert evomaster.place(system, elsewhere, program, seed=5, search_s=60) == folder
    others = [
        evomaster.place(catalog.find("systems", "social_network"), DOCUMENT, program, seed=5, search_s=60),
        evomaster.place(system, DOCUMENT | {"paths": {}}, program, seed=5, search_s=60),
        evomaster.place(system, DOCUMENT, dataclasses.replace(program, version="2"), seed=5, search_s=60),
        evomaster.place(system, DOCUMENT, program, seed=6, search_s=60),
        evomaster.place(system, DOCUMENT, program, seed=5, search_s=90),
    ]
    assert len({folder, *others}) == 6
    assert not any(map(evomaster.is_made, others))


def test_what_was_written_is_a_suite_that_replays_with_a_login(program, system, shop):
    found = suite.prepare(written(program, system, shop), system=system)
    assert found.title == "suite:evomaster-60s"
    assert list(found.bases.values()) == [""]


def test_the_later_names_of_options_are_tried(program, system, shop, tmp_path, monkeypatch):
    monkeypatch.setenv("ANOMOD_STAND_IN", "newer")
    written(program, system, shop)
    assert "--schema" in json.loads((tmp_path / "calls").read_text())


def test_a_failure_is_said_without_secrets_and_leaves_nothing(program, system, shop, monkeypatch):
    monkeypatch.setenv("ANOMOD_STAND_IN", "fails")
    with pytest.raises(CaptureError, match='exit code 3: out of memory, after "hello TOKEN"'):
        written(program, system, shop)
    assert not [path for path in evomaster.cache_folder().rglob("*") if path.is_file()]


def test_a_system_without_a_document_is_refused(entry):
    entry.mode = "error"
    with pytest.raises(ScenarioError, match=r"has none at /openapi\.json, "):
        evomaster.document_of(entry.url)


@pytest.mark.parametrize(("argument", "length"), [("", 60), ("60s", 60), ("2m", 120), ("1m30s", 90), ("45", 45)])
def test_how_long_it_may_search(argument, length):
    assert evomaster.seconds(argument) == length


@pytest.mark.parametrize("argument", ["0s", "soon", "1h", "-5s"])
def test_a_length_that_is_none_is_refused(argument):
    with pytest.raises(ScenarioError, match="a length of time is wanted"):
        evomaster.seconds(argument)


def test_where_it_is_looked_for(program, tmp_path, monkeypatch):
    command = tmp_path / "bin" / "evomaster"
    assert program.found == str(command)
    command.write_text("#!/usr/bin/env python3\n")  # PyPI's wrapper, that would download the program
    java = tmp_path / "bin" / "java"
    java.write_text("")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent))
    with pytest.raises(ScenarioError, match="there is no EvoMaster on this machine: set ANOMOD_EVOMASTER_JAR"):
        evomaster.find()
    command.unlink()
    for version in ("3.4.0", "4.0.0"):
        jar = tmp_path / "home" / ".evomaster" / "evomaster" / version / "evomaster.jar"
        jar.parent.mkdir(parents=True)
        jar.write_text(version)
    assert evomaster.find().command[:2] == (str(java), "-jar")
    named = tmp_path / "own.jar"
    monkeypatch.setenv(evomaster.JAR, str(named))
    with pytest.raises(ScenarioError, match="there is no such file"):
        evomaster.find()
    named.write_text("")
    assert evomaster.find().command == (str(java), "-jar", str(named))


def test_a_container_sees_the_folder_that_it_writes_to():
    program = evomaster.Program(command=("docker", "run", "--rm", "image"), version="1", found="image", mounts=True)
    assert program.words(Path("/cache/x")) == [
        *("docker", "run", "--rm", "--name", "x", "-v", "/cache/x:/cache/x", "-w", "/cache/x", "-e", "HOME=/cache/x"),
        "image",
    ]


DOCKER = """#!/bin/sh
echo "$@" >> {calls}
case "$1" in
    image) echo sha256:1;;
    info) echo "[name=seccomp{more}]";;
    run) trap '{end}' TERM; touch {begun}; sleep 60 & wait; wait;;
esac
"""


@pytest.fixture
def docker(program, tmp_path, monkeypatch):
    """Puts a docker on PATH that keeps its words and runs until it is ended; how it ends can be said."""

    def install(end: str = "exit 143", more: str = "") -> Path:
        calls, command = tmp_path / "docker-calls", tmp_path / "bin" / "docker"
        command.write_text(DOCKER.format(calls=calls, more=more, end=end, begun=tmp_path / "begun"))
        command.chmod(0o755)
        (tmp_path / "bin" / "evomaster").unlink()
        monkeypatch.setattr(evomaster.engine, "why_not", lambda: "")
        return calls

    return install


@pytest.mark.parametrize(("more", "user"), [("", [f"--user={os.getuid()}:{os.getgid()}"]), (",name=rootless", [])])
def test_what_a_container_writes_is_ours(docker, more, user):
    docker(more=more)
    found = evomaster.find()
    assert [word for word in found.command if "user" in word] == user
    assert (found.mounts, found.version) == (True, "sha256:1")


@pytest.mark.parametrize(("end", "last"), [("exit 143", "run"), ("", "rm --force work")])
def test_no_container_is_left_by_who_interrupts(docker, tmp_path, monkeypatch, end, last):
    """Its client is asked to end it; of one that does not, the container is removed by its name."""
    calls, folder = docker(end), tmp_path / "work"
    folder.mkdir()
    program = evomaster.find()
    run_to_its_end = subprocess.Popen.wait

    def interrupt(child, timeout=None):
        monkeypatch.setattr(subprocess.Popen, "wait", run_to_its_end)
        clock.wait_until((tmp_path / "begun").exists, timeout_s=20, what="the container to run")
        raise KeyboardInterrupt

    monkeypatch.setattr(evomaster, "GRACE_S", 20.0 if end else 0.1)
    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        evomaster._run(program, ["--maxTime", "60s"], folder, 60.0)
    assert calls.read_text().splitlines()[-1].startswith(last)


def test_placeholders_and_secrets_of_a_login():
    headers = {
        "Authorization": "Bearer abc", "Cookie": "login_token=def; sid=ghi456789; theme=dark", "X-Tenant": "1",
        "X-Api-Key": "key",
    }  # fmt: skip
    assert placeholders(headers) == {
        "Authorization": "Bearer TOKEN", "Cookie": "login_token=TOKEN; sid=TOKEN; theme=dark", "X-Tenant": "1",
        "X-Api-Key": "TOKEN",
    }  # fmt: skip
    assert secrets(headers) == ("abc", "def", "ghi456789", "key")

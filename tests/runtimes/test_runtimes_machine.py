"""What is looked up of a machine, in files that are made up and with programs that are not there."""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_anomod.runtimes import _machine


def test_available_memory_is_read_in_mib(tmp_path):
    """From the kernel's own estimate; without one nothing is claimed."""
    (tmp_path / "meminfo").write_text("MemTotal:  8000000 kB\nMemAvailable:   2048000 kB\n")
    assert _machine.available_mib(tmp_path / "meminfo") == 2000
    assert _machine.available_mib(tmp_path / "nothing") is None


def test_the_version_of_cgroups_is_told_by_what_is_mounted(tmp_path):
    """Unified, one folder per controller, or nothing."""
    assert _machine.cgroup_version(tmp_path) == 0
    (tmp_path / "memory").mkdir()
    assert _machine.cgroup_version(tmp_path) == 1
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert _machine.cgroup_version(tmp_path) == 2


def test_pressure_is_read_to_know_that_it_can_be(tmp_path):
    """A kernel that has it turned off has the file all the same, and refuses to read it."""
    (tmp_path / "cpu").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    assert _machine.no_pressure(tmp_path / "cpu") == ""
    assert _machine.no_pressure(tmp_path) == f"{tmp_path}: Is a directory"
    assert _machine.no_pressure(tmp_path / "none").endswith("No such file or directory")


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path):
    """The longest mount point above the directory; blanks in it are written as octal."""
    there = tmp_path / "a disk"
    there.mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"x / ext4 rw 0 0\nx {tmp_path} xfs rw 0 0\nx {str(there).replace(' ', chr(92) + '040')} tmpfs rw\n"
    )
    assert _machine.filesystem(there, mounts) == "tmpfs"
    assert _machine.filesystem(tmp_path, mounts) == "xfs"
    assert _machine.filesystem(tmp_path, tmp_path / "nothing") == ""


def test_this_python_is_found_and_one_of_the_future_is_not(monkeypatch, tmp_path):
    """A shim that answers for no version counts for nothing."""
    assert _machine.find_python(f"{sys.version_info.major}.{sys.version_info.minor}") == sys.executable
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'python3.99: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert _machine.find_python("3.99") == ""
    shim.write_text("#!/bin/sh\necho Python 3.99.1\n")
    assert _machine.find_python("3.99") == str(shim)


def test_wheels_that_are_not_installed_are_named(monkeypatch):
    """Of the extra that is asked about, and of no other."""
    wanted = ["psutil>=5", 'no-such-wheel>=1; extra == "replicas"', 'pytest>=8; extra == "replicas"']
    monkeypatch.setattr(_machine.importlib.metadata, "requires", lambda _: [*wanted, 'none-either; extra == "dev"'])
    assert _machine.missing_wheels() == ("no-such-wheel",)


def test_a_trial_without_its_program_says_so(monkeypatch, tmp_path):
    """Nothing is known then, and nothing is tried."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _machine.try_in_namespace(["tc", "qdisc"]) == "no unshare here"


def test_a_trial_that_fails_gives_the_last_words_of_the_program(monkeypatch, tmp_path):
    """The kernel's own reason."""
    for name, text in {
        "unshare": 'for last; do :; done; echo "first" >&2; echo "unknown $last" >&2; exit 2',
        "tc": "",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert _machine.try_in_namespace(["tc", "netem"]) == "unknown netem"


@pytest.mark.parametrize("where", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_a_daemon_that_is_not_there_is_said_where(monkeypatch, where):
    """With the place that was asked, so that a wrong DOCKER_HOST shows."""
    monkeypatch.setenv("DOCKER_HOST", where)
    version, why = _machine.ask_docker()
    assert version == ""
    assert f"no daemon answers at {where}" in why


class _Daemon(BaseHTTPRequestHandler):
    """As much of a daemon as tells its version."""

    def do_GET(self) -> None:
        body = b'{"Version":"99.1.2","ApiVersion":"1.47","MinAPIVersion":"1.24"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def test_a_daemon_that_answers_tells_its_version(monkeypatch):
    """Over whatever DOCKER_HOST names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Daemon)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        assert _machine.ask_docker() == ("99.1.2", "")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

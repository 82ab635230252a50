"""The demo system under a real host process, and short ways to talk to it."""

import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from host_program import BOOT_WITHIN_S, claim_ports, wait_for

HERE = Path(__file__).resolve().parent
PORTS = 12  # the demo system needs nine


class Deployment:
    """The demo system under a host process, and short ways to talk to it."""

    def __init__(self, directory: Path, *options: str, system: str = "kit.demo_system") -> None:
        self.directory = directory
        self.base, lock = claim_ports()
        self._lock: int | None = lock
        root = Path(__file__).resolve().parents[3]
        environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{HERE.parent}{os.pathsep}{directory}"}
        command = [sys.executable, "-m", "pytest_anomod.replicas.kit.host", system, "--dir", str(directory)]
        self.process = subprocess.Popen(
            [*command, "--base-port", str(self.base), *options],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def wait(self) -> "Deployment":
        """Wait until it is announced and found; its description is `self.value` then."""
        announced = self.directory / "deployment.json"
        wait_for(lambda: announced.exists() or self.process.poll() is not None, "it to come up", BOOT_WITHIN_S)
        assert self.process.poll() is None, self.process.stderr.read()
        self.value = json.loads(announced.read_text())
        self.token = (self.directory / "secret" / "token").read_text().strip()
        self.pids = {each["pid"]: each["start_time"] for each in self.services().values()}
        return self

    def request(self, url: str, method: str = "GET", body: Any = None, token: str | None = None, **headers: str) -> Any:
        """Status, headers and body of an answer; a dict body is sent as JSON."""
        host, _, path = url.removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=15)
        data = json.dumps(body) if isinstance(body, dict) else body
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, f"/{path}", data, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def note(self, name: str, **headers: str) -> tuple[int, str]:
        """Read a note at the gateway."""
        status, _, body = self.request(f"{self.value['entry_url']}/notes/{name}", **headers)
        return status, body

    def agent(self, service: str, path: str, body: dict | None = None, method: str = "POST") -> tuple[int, Any]:
        """Ask the agent of a service."""
        url = self.value["services"][service]["agent_url"] + path
        status, _, content = self.request(url, method, body or {}, self.token)
        return status, json.loads(content)

    def control(self, path: str, method: str = "POST") -> tuple[int, Any]:
        """Ask the host."""
        status, _, content = self.request(self.value["control_url"] + path, method, None, self.token)
        return status, json.loads(content)

    def services(self) -> dict[str, Any]:
        """State of all parts."""
        return self.control("/services", "GET")[1]

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines of a file of the deployment."""
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]

    def left_over(self) -> list[int]:
        """Processes of the deployment that still run."""
        pids = {**self.pids, self.process.pid: self.value["host"]["start_time"]}
        return [pid for pid, start in pids.items() if _alive(pid, start)]

    def listening(self) -> list[int]:
        """Ports of the block that somebody listens on."""
        found = []
        for port in range(self.base, self.base + PORTS):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(port)
        return found

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stderr.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _alive(pid: int, start: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - start) < 0.5 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""One service of a host: its process group, its log, whether it is well, and its being started again when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import listening, probes, processes
from pytest_anomod.model import clock
from pytest_anomod.runtimes.commands.helpers.front import HOST, Front

STOP_GRACE_S = 3.0
BACK_OFF_S, BACK_OFF_MOST_S, BACK_OFF_FORGOTTEN_S = 0.2, 5.0, 10.0
ASK_EVERY_S, ANSWER_WITHIN_S = 0.05, 1.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded once, before anything is started


class NotUpError(Exception):
    """A service did not become well; the message says which, why, and its last lines."""


class Supervised:
    """A service and what became of its process. `row` is its part of the plan (see plan.py)."""

    def __init__(self, row: Mapping[str, Any], directory: str, leaders: Path) -> None:
        self.name: str = row["name"]
        self.state = "stopped"
        self.pid: int | None = None
        self.front = Front(row["port"], row["inner_port"]) if row["relayed"] else None
        self._row = row
        self._directory = directory
        self._leaders = leaders
        self._log = Path(row["log_file"])
        self._start_time: float | None = None
        self._listening: tuple[int, float] | None = None
        self._launches = 0
        self._wanted = False
        self._ended = asyncio.Event()
        self._status = 0
        self._up_since_s = 0.0
        self._back_off_s = BACK_OFF_S
        self._restarting: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()  # one order to start or stop at a time

    def seen(self) -> dict[str, Any]:
        """State, pid and start time of the process that listens, number of restarts."""
        pid, started = self._program()
        return {
            "state": self.state,
            "pid": pid,
            "start_time": started,
            "leader": self.pid,
            "restarts": max(0, self._launches - 1),
        }

    async def start(self) -> None:
        """Start the service unless it runs, and wait until it is well; NotUpError with its last lines if it is not."""
        async with self._lock:
            if self._wanted and self.state == "running":
                return
            self._wanted = True
            if self._restarting is not None:
                await self._until_restarted()
                return
            try:
                await self._launch()
            except NotUpError:
                self._wanted = False
                self.state = "stopped"
                raise

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End it and what it started: its stop signal, a grace, SIGKILL. It stays down."""
        self._wanted = False
        restarting, self._restarting = self._restarting, None
        if restarting is not None:
            restarting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await restarting
        async with self._lock:
            if self.front is not None:
                self.front.close()
            await self._end(grace_s)
            self.state = "stopped"

    def ended(self, status: int) -> None:
        """Its process has ended, with this exit status; what it left in its session is ended too."""
        leader, self.pid, self._start_time, self._listening = self.pid, None, None, None
        assert leader is not None
        kill_session(leader)
        self._status = status
        self._ended.set()
        if self.front is not None:
            self.front.close()
        was_up, self.state = self.state == "running", "stopped"
        if self._wanted and was_up and self._row["restart"]:
            self.state = "restarting"
            self._restarting = asyncio.get_running_loop().create_task(self._restart())

    async def _until_restarted(self) -> None:
        task = self._restarting
        assert task is not None
        try:
            await asyncio.wait_for(asyncio.shield(task), self._row["well_within_s"])
        except TimeoutError:
            raise NotUpError(self._trouble("ends again and again")) from None

    async def _launch(self) -> None:
        self._ended = asyncio.Event()
        self._launches += 1
        with self._log.open("ab") as output:
            try:
                process = subprocess.Popen(
                    self._row["argv"],
                    env=self._row["env"],
                    cwd=self._directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=_die_with_host if sys.platform == "linux" else None,
                )
            except OSError as error:
                raise NotUpError(f"{self.name}: can't start {self._row['argv'][0]!r}: {error.strerror}") from error
        process.returncode = 0  # the host takes its status itself
        self.pid, self._start_time = process.pid, processes.start_time(process.pid)
        with self._leaders.open("a") as leaders:  # for whoever has to clear up when even the host was killed
            leaders.write(f"{json.dumps([self.pid, self._start_time])}\n")
        try:
            await self._wait_well()
        except NotUpError:
            await self._end(0.0)
            raise
        self._listening = self._find_listening()
        if self.front is not None:
            try:
                await self.front.open()
            except OSError as error:
                await self._end(0.0)
                raise NotUpError(
                    f"{self.name}: port {self.front.port} can't be listened on: {error.strerror}"
                ) from error
        if self._ended.is_set():
            raise NotUpError(self._trouble(f"ended as soon as it was up ({_in_words(self._status)})"))
        self._up_since_s = clock.monotonic_s()
        self.state = "running"

    async def _wait_well(self) -> None:
        within_s = self._row["well_within_s"]
        until_s = clock.monotonic_s() + within_s
        while not self._ended.is_set():
            if await self._is_well():
                return
            if clock.monotonic_s() > until_s:
                raise NotUpError(self._trouble(f"is not well after {within_s:g} s: {self._asked()}"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), ASK_EVERY_S)
        raise NotUpError(self._trouble(f"ended while it started ({_in_words(self._status)})"))

    async def _is_well(self) -> bool:
        kind, path = self._row["probe"], self._row["probe_path"]
        if kind == "alive":
            return True
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_connection(HOST, self._row["inner_port"])
                try:
                    asked = probes.question(kind, path)
                    if not asked:
                        return True
                    writer.write(asked)
                    return probes.is_good(kind, await reader.read(probes.ANSWER_BYTES))
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _restart(self) -> None:
        if clock.monotonic_s() - self._up_since_s > BACK_OFF_FORGOTTEN_S:
            self._back_off_s = BACK_OFF_S
        while self._wanted:
            await asyncio.sleep(self._back_off_s)
            self._back_off_s = min(self._back_off_s * 2, BACK_OFF_MOST_S)
            try:
                await self._launch()
            except NotUpError:  # its log has the reason; the next try follows
                self.state = "restarting"
                continue
            break
        self._restarting = None

    async def _end(self, grace_s: float) -> None:
        if self.pid is None:
            return
        if grace_s > 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.Signals[self._row["stop_signal"]])
                os.killpg(self.pid, signal.SIGCONT)  # a stopped one would not hear it
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), grace_s)
        if self.pid is not None:
            kill_session(self.pid)
            await self._ended.wait()

    def _program(self) -> tuple[int | None, float | None]:
        """The process that listens, which may be a child of a shell or of npm; the first one if none is known to."""
        if self._listening is not None and not processes.is_same(*self._listening):
            self._listening = self._find_listening()
        if self._listening is not None:
            return self._listening
        return self.pid, self._start_time

    def _find_listening(self) -> tuple[int, float] | None:
        if self.pid is None or self._row["probe"] == "alive":
            return None
        return listening.listener_below(self.pid, self._row["inner_port"])

    def _asked(self) -> str:
        row = self._row
        what = f"GET {row['probe_path']} on" if row["probe"] == "http" else f"{row['probe']} on"
        return f"no good answer to {what} {HOST}:{row['inner_port']}; does it listen on the port it is told as PORT?"

    def _trouble(self, why: str) -> str:
        return f"service {self.name!r} {why}; its last lines ({self._log}):\n{last_lines(self._log)}"


def last_lines(path: Path, count: int = 15) -> str:
    """The last lines of a log; "(nothing)" when there are none."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 16_384))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:]) or "(nothing)"
    return "(nothing)"


def kill_session(leader: int) -> None:
    """SIGKILL what lives of the session of a process, and what descends from that."""
    members = processes.session_of(leader)
    for pid, started in (members | processes.descendants(members)).items():
        processes.send(pid, started, signal.SIGKILL)


def _die_with_host() -> None:
    """Have the kernel kill the process when the host ends, however that happens."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _in_words(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}"

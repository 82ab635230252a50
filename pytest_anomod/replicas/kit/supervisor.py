"""Keeps the processes of a deployment up: restart with back-off, stop and start, and the names that resolve."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import orjson
import psutil

from pytest_anomod.replicas.kit.net import write_atomically
from pytest_anomod.replicas.kit.parts import Part, PartError
from pytest_anomod.replicas.kit.processes import kill_group, last_lines

State = Literal["running", "restarting", "stopped"]

HEALTHY_WITHIN_S = 20.0
BACK_OFF_S, BACK_OFF_MAX_S, BACK_OFF_FORGOTTEN_S = 0.1, 1.0, 10.0
STOP_GRACE_S = 1.0


class _Supervised:
    """One part and what became of its process."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.state: State = "stopped"
        self.pid: int | None = None
        self.start_time: float | None = None
        self.launches = 0
        self.back_off_s = BACK_OFF_S
        self.up_since = 0.0
        self.wanted = False
        self.ended = asyncio.Event()
        self.changed = asyncio.Condition()
        self.lock = asyncio.Lock()  # one request to start or stop it at a time
        self.restarting: asyncio.Task[None] | None = None


class Supervisor:
    """Launches parts, notices their ends and acts as docker does with `restart: always`.

    A part that is stopped on request has no name any more; one that died keeps its name and is started again after
    0.1 s, then 0.2 s and so on up to 1 s, and after 10 s up again from 0.1 s on.
    """

    def __init__(self, directory: Path, parts: Iterable[Part]) -> None:
        self._hosts = directory / "hosts.json"
        self._parts = {part.name: _Supervised(part) for part in parts}
        self._others: dict[int, asyncio.Future[int]] = {}
        self._closing = False

    def watch(self) -> None:
        """Start to notice the end of children; needs a running loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def states(self) -> dict[str, dict[str, Any]]:
        """State, pid, start time (as psutil gives it) and number of restarts by name."""
        self._reap()  # the word of an end may still be on its way
        return {
            name: {
                "state": each.state,
                "pid": each.pid,
                "start_time": each.start_time,
                "restarts": max(0, each.launches - 1),
            }
            for name, each in self._parts.items()
        }

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    async def start(self, name: str) -> None:
        """Start a part and wait until it is healthy; PartError with its last log lines when it does not get so.

        A part that runs or is being restarted is only waited for.
        """
        self._reap()  # one that has just ended is not taken for one that runs
        each = self._parts[name]
        async with each.lock:
            if not each.wanted:
                await self._start(each)
                return
        try:
            async with asyncio.timeout(HEALTHY_WITHIN_S), each.changed:
                await each.changed.wait_for(lambda: each.state != "restarting")
        except TimeoutError:
            raise PartError(f"{name} is being restarted again and again: {last_lines(each.part.output)}") from None

    async def stop(self, name: str) -> None:
        """Take the name away, then end the process: its stop signal, a grace of 1 s, SIGKILL. It stays down."""
        each = self._parts[name]
        async with each.lock:
            each.wanted = False
            self.publish()
            await self._stop_restarting(each)
            await self._end(each, each.part.stop_signal, STOP_GRACE_S)
            await self._set(each, "stopped")

    def publish(self) -> None:
        """Write the names that resolve now."""
        names = {name: each.part.port for name, each in self._parts.items() if each.wanted}
        write_atomically(self._hosts, orjson.dumps(names))

    def wait_for_exit(self, pid: int) -> "asyncio.Future[int]":
        """The exit status of a child that is not a part (negative: its signal)."""
        self._others[pid] = asyncio.get_running_loop().create_future()
        return self._others[pid]

    async def shutdown(self, grace_s: float = 0.6) -> None:
        """End every process in order: services first, then what they talk to; nothing is left after it."""
        self._closing = True
        for each in self._parts.values():
            each.wanted = False
            await self._stop_restarting(each)
        await asyncio.gather(*(self._end(each, each.part.stop_signal, grace_s) for each in self._parts.values()))

    def kill_all(self) -> None:
        """Kill every process at once."""
        for each in self._parts.values():
            if each.pid is not None:
                kill_group(each.pid)
        for pid in self._others:
            kill_group(pid)
        for each in self._parts.values():
            if each.pid is not None:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(each.pid, 0)
            each.part.cleanup()

    async def _start(self, each: _Supervised) -> None:
        each.wanted = True
        self.publish()
        try:
            await self._launch(each)
        except PartError:
            each.wanted = False
            raise

    async def _stop_restarting(self, each: _Supervised) -> None:
        task, each.restarting = each.restarting, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _launch(self, each: _Supervised) -> None:
        each.ended = asyncio.Event()
        each.launches += 1
        each.pid = each.part.launch(each.launches)
        each.start_time = psutil.Process(each.pid).create_time()
        asyncio.get_running_loop().call_soon(self._reap)  # one launched ahead may have ended before we watched
        healthy = asyncio.ensure_future(each.part.wait_healthy())
        ended = asyncio.ensure_future(each.ended.wait())
        try:
            done, _ = await asyncio.wait(
                (healthy, ended), timeout=HEALTHY_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
            )
            why = None if healthy in done else "ended while it started" if ended in done else "was not up in time"
            if why is None and (error := healthy.exception()) is not None:
                why = str(error)
        finally:
            for waiting in (healthy, ended):
                waiting.cancel()
        if why is not None:
            await self._end(each, signal.SIGKILL, 0)
            lines = last_lines(each.part.output)
            raise PartError(f"{each.part.name}: {why}; its last lines ({each.part.output.name}):\n{lines}")
        each.up_since = time.monotonic()
        await self._set(each, "running")

    def _reap(self) -> None:
        for each in self._parts.values():
            if each.pid is not None and _exited(each.pid) is not None:
                self._gone(each)
        for pid, future in list(self._others.items()):
            status = _exited(pid)
            if status is not None:
                del self._others[pid]
                if not future.done():
                    future.set_result(status)

    def _gone(self, each: _Supervised) -> None:
        pid, each.pid, each.start_time = each.pid, None, None
        kill_group(pid)  # type: ignore[arg-type]  # what it left in its group: backends of a database, say
        each.part.cleanup()
        was_up = each.state == "running"
        each.ended.set()
        if each.wanted and was_up and not self._closing:
            each.state = "restarting"
            each.restarting = asyncio.get_running_loop().create_task(self._restart(each))

    async def _restart(self, each: _Supervised) -> None:
        if time.monotonic() - each.up_since > BACK_OFF_FORGOTTEN_S:
            each.back_off_s = BACK_OFF_S
        while each.wanted:
            await asyncio.sleep(each.back_off_s)
            each.back_off_s = min(each.back_off_s * 2, BACK_OFF_MAX_S)
            with contextlib.suppress(PartError):  # its output has the reason; the next try follows
                await self._launch(each)
                break
        each.restarting = None

    async def _end(self, each: _Supervised, number: int, grace_s: float) -> None:
        if each.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(each.pid, number)
        try:
            await asyncio.wait_for(each.ended.wait(), grace_s or HEALTHY_WITHIN_S)
        except TimeoutError:
            if each.pid is not None:
                kill_group(each.pid)
                await each.ended.wait()

    async def _set(self, each: _Supervised, state: State) -> None:
        each.state = state
        async with each.changed:
            each.changed.notify_all()


def _exited(pid: int) -> int | None:
    """The exit status of a child, None while it runs."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if found else None

"""The host of plain commands: `python -P -m pytest_anomod.runtimes.commands.helpers.host DIRECTORY`.

It starts the services of DIRECTORY/undo/plan.json one after the other, waits for each until it is well, writes
DIRECTORY/deployment.json, supervises and relays. It ends all of them when its standard input ends, which is when its
owner dies. Exit codes: 0 orderly end, 1 something did not come up (DIRECTORY/error.txt says what).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, processes
from pytest_anomod.runtimes.commands.helpers.control import Control
from pytest_anomod.runtimes.commands.helpers.front import HOST
from pytest_anomod.runtimes.commands.helpers.supervised import NotUpError, Supervised

_PR_SET_CHILD_SUBREAPER = 36
SHUTDOWN_GRACE_S = 1.0


class Host:
    """All services of one deployment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._plan: dict[str, Any] = json.loads((directory / "undo" / "plan.json").read_bytes())
        leaders = directory / "undo" / "leaders.jsonl"
        where = self._plan["directory"]
        self._services = {row["name"]: Supervised(row, where, leaders) for row in self._plan["services"]}
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Bring all services up, write deployment.json, and keep them up until told to end; then nothing is left."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_reader(0, self._owner_said)
        token = (self._directory / "undo" / "token").read_text().strip()
        server = await asyncio.start_server(Control(token, self._order).answer, HOST, self._plan["control_port"])
        try:
            booting = asyncio.ensure_future(self._boot())
            over = asyncio.ensure_future(self._over.wait())
            await asyncio.wait((booting, over), return_when=asyncio.FIRST_COMPLETED)
            if booting.done():
                booting.result()
                files.write_json(self._directory / "deployment.json", self._document())
                await over
            booting.cancel()
        finally:
            server.close()
            await asyncio.gather(*(each.stop(SHUTDOWN_GRACE_S) for each in self._services.values()))
            self._kill_rest()

    async def _boot(self) -> None:
        for service in self._services.values():
            await service.start()

    def _document(self) -> dict[str, Any]:
        """What others may know: the plan without commands and environments, which may hold passwords."""
        kept = {name: value for name, value in self._plan.items() if name != "services"}
        services = {
            row["name"]: {name: value for name, value in row.items() if name not in ("argv", "env")}
            for row in self._plan["services"]
        }
        host = {"pid": os.getpid(), "start_time": processes.start_time(os.getpid())}
        return {**kept, "services": services, "host": host}

    async def _order(self, verb: str, path: str, body: Any) -> Any:
        match verb, path.strip("/").split("/"):
            case "GET", ["services"]:
                self._reap()  # the word of an end may still be on its way
                return {name: each.seen() for name, each in self._services.items()}
            case "POST", ["shutdown"]:
                self._over.set()
                return {}
            case "POST", ["services", name, verb]:
                return await self._order_service(self._services[name], verb, body)
        raise KeyError(path)

    async def _order_service(self, service: Supervised, verb: str, body: Any) -> Any:
        self._reap()
        if verb == "start":
            try:
                await service.start()
            except NotUpError as error:
                raise ValueError(str(error)) from error
        elif verb == "stop":
            await service.stop()
        elif verb == "divert" and service.front is not None:
            service.front.divert(body["port"])
        else:
            raise KeyError(verb)
        return service.seen()

    def _reap(self) -> None:
        """Take the exit status of whatever has ended: services, and orphans of theirs, which become ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for each in self._services.values():
                if each.pid == pid:
                    each.ended(os.waitstatus_to_exitcode(status))

    def _owner_said(self) -> None:
        with contextlib.suppress(OSError):
            if os.read(0, 64):
                return
        asyncio.get_running_loop().remove_reader(0)
        self._over.set()

    def _kill_rest(self) -> None:
        """Kill processes that detached themselves from their service: they became our children."""
        with contextlib.suppress(TimeoutError):
            processes.kill_all(lambda: processes.descendants([os.getpid()]), what="what services left", timeout_s=2.0)


def main(arguments: list[str]) -> int:
    """Run a deployment to its end and return the exit code."""
    directory = Path(arguments[0])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        asyncio.run(_run(directory))
    except (NotUpError, OSError) as error:
        (directory / "error.txt").write_text(f"{error}\n")
        return 1
    return 0


async def _run(directory: Path) -> None:
    await Host(directory).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

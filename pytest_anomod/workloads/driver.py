"""Runs a locust file or a k6 script as the workload: the tool's own program, through a proxy of ours that records.

`python -m` of this module is the process with the proxy; the program is its child, and is started again when it ends
before the case does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import redact_text
from pytest_anomod.workloads import driver_programs
from pytest_anomod.workloads.plan import BODY_LIMIT_BYTES
from pytest_anomod.workloads.proxy import Recorder, known_urls, serve
from pytest_anomod.workloads.record import Records, state_path, write_json
from pytest_anomod.workloads.sender import is_running, launch, stop, summary
from pytest_anomod.workloads.suite_login import log_in

__all__ = ["is_running", "start", "stop", "summary"]

START_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.1
_REPORT_EVERY_S = 0.5
_PAUSE_S = 0.5
"""Between two starts of a program that ends by itself."""
_END_S = 3.0
_TAIL_BYTES = 2000


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Start the program and return once a request went through; the handle is as the open loop's.

    `spec` has system, kind, path, users, bases (URL -> service, "" for the entry), rate_rps (most requests a second),
    timeout_s, seed, deadline_s, entry_url, urls. CaptureError when no request comes, with the program's last words.
    """
    return launch(
        "pytest_anomod.workloads.driver",
        spec,
        records,
        timeout_s=float(spec["timeout_s"]),
        has_begun=lambda state: state["requests"] > 0,
        start_timeout_s=START_TIMEOUT_S,
    )


class Driving:
    """The proxy, the program, and the state file, which says how it goes and why it ended."""

    def __init__(self, spec: Mapping[str, Any], records: Path) -> None:
        system = catalog.find("systems", spec["system"])
        self._spec, self._state_path = spec, state_path(records)
        self._records = Records(records)
        self._recorder = Recorder(
            known_urls(spec, system.entry),
            system.entry,
            self._records,
            login=log_in(system, str(spec["entry_url"]), [Path(spec["path"])]),
            timeout_s=float(spec["timeout_s"]),
            rate_rps=float(spec["rate_rps"]),
            body_limit=int(spec.get("body_limit_bytes") or BODY_LIMIT_BYTES),
        )
        self._end_reason = ""
        self._ended_s: float | None = None
        self._runs = 0
        self._start_ns, self._start_s = clock.now_ns(), clock.monotonic_s()

    async def run(self) -> None:
        """Until the deadline, SIGTERM, the owner's death, or a program that sends nothing."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.end, "stopped")
        port, end_proxy = await serve(self._recorder)
        with tempfile.TemporaryDirectory(prefix="driver-") as scratch:
            words, environment = driver_programs.command(self._spec, port, Path(scratch))
            said = Path(scratch, "said")
            try:
                while not self._end_reason:
                    await self._play(words, environment, said)
            finally:
                await end_proxy()
                self._records.close()
                self._write_state("ended")

    def end(self, reason: str) -> None:
        """Begin nothing new; the first reason stays."""
        if not self._end_reason:
            self._end_reason, self._ended_s = reason, clock.monotonic_s()

    async def _play(self, words: list[str], environment: Mapping[str, str], said: Path) -> None:
        """Run the program once, or until the end."""
        with said.open("wb") as output:
            child = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment),
                cwd=Path(self._spec["path"]).parent, preexec_fn=_die_with_us, start_new_session=True,
            )  # fmt: skip
        self._runs += 1
        begun, reported = clock.monotonic_s(), 0.0
        try:
            while child.returncode is None and not self._end_reason:
                self._look()
                if clock.monotonic_s() - reported >= _REPORT_EVERY_S:
                    reported = clock.monotonic_s()
                    self._write_state("sending")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(child.wait(), _LOOK_EVERY_S)
        finally:
            if self._end_reason:
                await self._drain()
            await _ended(child)
        if not self._end_reason and not self._recorder.counts.total():
            tail = said.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
            self.end(f"error: {words[0]} ended with {child.returncode} and sent nothing to the system: "
                     f"{redact_text(tail)}")  # fmt: skip
        elif not self._end_reason:
            await asyncio.sleep(max(0.0, begun + _PAUSE_S - clock.monotonic_s()))

    async def _drain(self) -> None:
        """Let nothing new through, and give what is under way its own time to end."""
        self._recorder.is_open = False
        until = clock.monotonic_s() + float(self._spec["timeout_s"])
        while self._recorder.in_flight and self._end_reason != "owner died" and clock.monotonic_s() < until:
            await asyncio.sleep(_LOOK_EVERY_S)

    def _look(self) -> None:
        owner = self._spec.get("owner_pid")
        if owner is not None and os.getppid() != owner:
            self.end("owner died")
        if clock.monotonic_s() - self._start_s >= float(self._spec["deadline_s"]):
            self.end("deadline")

    def _write_state(self, state: str) -> None:
        counts = self._recorder.counts
        until_s = self._ended_s if self._ended_s is not None else clock.monotonic_s()
        write_json(
            self._state_path,
            {
                "state": state,
                "pid": os.getpid(),
                "start_unix_nano": self._start_ns,
                "elapsed_s": round(until_s - self._start_s, 3),
                "end_reason": self._end_reason if state == "ended" else "",
                "target_rps": float(self._spec["rate_rps"]),
                "arrivals": counts.total(),
                "requests": counts.total(),
                "in_flight": self._recorder.in_flight,
                "shed": 0,
                "cancelled": counts["cancelled"],
                "answered": counts["answered"],
                "runs": self._runs,
            },
        )


def _die_with_us() -> None:
    """In the program's process: it is killed when ours dies, however that comes."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


async def _ended(child: asyncio.subprocess.Process) -> None:
    """The program and what it started are gone."""
    for number, patience_s in ((signal.SIGTERM, _END_S), (signal.SIGKILL, _END_S)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        try:
            await asyncio.wait_for(child.wait(), patience_s)
            break
        except TimeoutError:
            continue
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Play the spec of a file: SPECFILE RECORDS."""
    spec_file, records = map(Path, arguments)
    asyncio.run(Driving(json.loads(spec_file.read_text(encoding="utf-8")), records).run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

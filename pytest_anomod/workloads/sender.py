"""Starts, watches and ends the process of a workload, whatever it sends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.record import state_path, write_json

START_TIMEOUT_S = 30.0

_children: dict[int, subprocess.Popen[bytes]] = {}  # so that those we started ourselves are reaped


def launch(
    module: str,
    spec: Mapping[str, Json],
    records: str | Path,
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    has_begun: Callable[[Mapping[str, Json]], bool] = bool,
    start_timeout_s: float = START_TIMEOUT_S,
) -> dict[str, Json]:
    """Start `python -m MODULE SPECFILE RECORDS` and return once it sends; the handle is enough for `stop` anywhere.

    It sends when its state file makes `has_begun` true. `timeout_s` bounds one of its requests. CaptureError when it
    does not come up.
    """
    records = Path(records).absolute()
    spec_file = records.with_name(records.name + ".spec.json")
    state_path(records).unlink(missing_ok=True)
    write_json(spec_file, {**spec, "owner_pid": os.getpid()})
    with _errors_path(records).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module, str(spec_file), str(records)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # Ctrl-C is for the owner, who then ends the workload after the rollbacks
        )
    _children[child.pid] = child
    try:
        clock.wait_until(
            lambda: _has_begun(child, records, has_begun),
            timeout_s=start_timeout_s,
            what=f"the workload of {spec['system']} to send",
        )
    except BaseException as error:
        # whatever it was, an interrupt too: nobody has the handle yet, so nobody else could end it
        child.kill()
        child.wait()
        if isinstance(error, TimeoutError):
            msg = f"the workload did not begin to send: {error}; its messages: {_tail(_errors_path(records))}"
            raise CaptureError(msg) from error
        raise
    return {
        "pid": child.pid,
        "start_time": _start_time(child.pid),
        "records": str(records),
        "timeout_s": timeout_s,
        "start_unix_nano": summary(records)["start_unix_nano"],
    }


def stop(handle: Mapping[str, Json]) -> dict[str, Json]:
    """End a workload and return its summary; idempotent, from any process.

    Nothing new is sent; requests in flight get up to their timeout to finish, and are recorded as cancelled if they
    don't. A process that does not end by then is killed.
    """
    pid = int(handle["pid"])
    if is_running(handle):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        try:
            clock.wait_until(
                lambda: not is_running(handle),
                timeout_s=float(handle["timeout_s"]) + 3.0,
                what=f"the workload (process {pid}) to end",
            )
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            clock.wait_until(lambda: not is_running(handle), timeout_s=5.0, what=f"process {pid} to be killed")
    child = _children.pop(pid, None)
    if child is not None:
        child.wait()
    return summary(handle["records"])


def summary(records: str | Path) -> dict[str, Json]:
    """How a workload goes or went; {} when it never began.

    state (sending, ended; a killed one stays "sending"), end_reason (stopped, deadline, owner died, error: ...),
    start_unix_nano, elapsed_s (until it sent no more), target_rps, arrivals, requests, answered, shed, cancelled,
    journey_errors with last_journey_errors, and lag: how late arrivals began because of the generator itself, as
    p50_ms, p95_ms, p99_ms, p100_ms. Written every two seconds or more often.
    """
    return _read_state(Path(records)) or {}


def kept_rate(report: Mapping[str, Json], *, most_lag_ms: float = 100.0) -> bool:
    """Whether the workload kept its rate: nothing was shed, and 99 of 100 arrivals began on time, or nearly."""
    return bool(report) and not report["shed"] and report["lag"]["p99_ms"] <= most_lag_ms


def is_running(handle: Mapping[str, Json]) -> bool:
    """Whether the very process of the handle still runs."""
    pid = int(handle["pid"])
    child = _children.get(pid)
    if child is not None:
        return child.poll() is None
    started = _start_time(pid)
    return started is not None and abs(started - float(handle["start_time"])) < 1.0


def _start_time(pid: int) -> float | None:
    """When a live process was started, as psutil tells it; None for a dead one."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _read_state(records: Path) -> dict[str, Json] | None:
    try:
        state: dict[str, Json] = json.loads(state_path(records).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return state


def _has_begun(child: subprocess.Popen[bytes], records: Path, has_begun: Callable[[Mapping[str, Json]], bool]) -> bool:
    """Whether the process sends; CaptureError when it ended before that."""
    ended = child.poll() is not None  # asked first: what it wrote last is there by then
    state = _read_state(records)
    if state and has_begun(state):
        return True
    if ended:
        reason = str((state or {}).get("end_reason", "")).removeprefix("error: ")
        words = reason or f"exit code {child.returncode}; its messages: {_tail(_errors_path(records))}"
        msg = f"the workload ended before it sent anything: {words}"
        raise CaptureError(msg)
    return False


def _errors_path(records: Path) -> Path:
    return records.with_name(records.name + ".stderr")


def _tail(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "none"

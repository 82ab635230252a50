"""Starts and stops the open-loop workload, a process of its own; `python -m` of this module is that process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.generator import run_generator, state_path, write_json
from pytest_anomod.workloads.plan import read_spec

START_TIMEOUT_S = 30.0

_children: dict[int, subprocess.Popen[bytes]] = {}  # so that those we started ourselves are reaped


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Start the workload and return once it sends; the handle is JSON and enough for `stop` in any process.

    `spec` is described at `plan.read_spec`. The handle has pid, start_time (of the process), records, timeout_s and
    start_unix_nano, the moment the plan began. The workload ends by itself deadline_s later, and when the process
    that started it dies. ScenarioError for a spec that can't work, CaptureError when it does not come up.
    """
    timeout_s = read_spec(spec).timeout_s  # what can't work is said here and not in the log of a process
    records = Path(records).absolute()
    spec_file = records.with_name(records.name + ".spec.json")
    state_path(records).unlink(missing_ok=True)
    write_json(spec_file, {**spec, "owner_pid": os.getpid()})
    with _errors_path(records).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest_anomod.workloads.open_loop", str(spec_file), str(records)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the owner, who then ends the workload after the rollbacks
        )
    _children[child.pid] = child
    try:
        clock.wait_until(
            lambda: _has_begun(child, records),
            timeout_s=START_TIMEOUT_S,
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
    p50_ms, p95_ms, p99_ms, p100_ms. Written twice a second.
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


def _has_begun(child: subprocess.Popen[bytes], records: Path) -> bool:
    """Whether the generator sends; CaptureError when it ended before that."""
    if state_path(records).exists():
        return True
    if child.poll() is not None:
        words = _tail(_errors_path(records))
        msg = f"the workload ended with exit code {child.returncode} before it sent anything: {words}"
        raise CaptureError(msg)
    return False


def _errors_path(records: Path) -> Path:
    return records.with_name(records.name + ".stderr")


def _tail(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "none"


def main(arguments: list[str]) -> int:
    """Play the spec of a file: SPECFILE RECORDS."""
    spec_file, records = arguments
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    run_generator(read_spec(spec), Path(records), owner_pid=spec.get("owner_pid"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

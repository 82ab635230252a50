"""A run of pytest as the shell sees it: a process group, what belongs to it while it runs, what is left of it after."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from pytest_anomod.host import ports
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import AnomodError
from pytest_anomod.safety.undo import UndoJournal

ROOT = Path(__file__).parents[2]
HEADER = """
from pytest_anomod import Durations, anomaly
from pytest_anomod.faults import *
"""
LONG = "Durations(warmup_s=1, baseline_s=0.5, anomaly_s=120, recovery_s=1)"
"""Windows of a case that is not to come to its end: its fault is in as soon as may be, and stays."""
NOT_INHERITED = ("PYTEST_", "COV_CORE_", "COVERAGE_")


class Run:
    """pytest (or another program) in a session of its own, with its output in a file and a state directory of ours."""

    def __init__(
        self, directory: Path, *words: object, state: Path, program: str = "pytest", prefix: Sequence[str] = ()
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.state = directory, state
        self._output = directory / f"{program.replace('.', '-')}.out"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        paths = (str(directory), str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
        kept |= {"ANOMOD_STATE_DIR": str(state), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with self._output.open("wb") as sink:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", program, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=kept,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text(errors="replace")

    def wait(self, timeout_s: float = 120.0) -> int:
        """Its exit code; the test fails when it does not end in time."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"it did not end within {timeout_s:g} s; it said:\n{self.output}")

    def signal_group(self, number: int) -> None:
        """A signal to the whole process group, as a terminal or a CI runner sends it."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        with contextlib.suppress(ProcessLookupError):
            self.signal_group(signal.SIGKILL)
        self.process.wait()


def pytest_words(*words: object) -> list[object]:
    """The arguments of every pytest run here, and those; what is looked for afterwards are processes.

    How busy this machine is must not decide a test: it looks calm, and each case is played once.
    """
    plain = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "calm_machine", "--anomod-runtime=process"]
    return [*plain, "--anomod-attempts=0", "--anomod-patience=5", *words]


def scenario(test: str, decorated: str, durations: str = LONG) -> str:
    """Source of one scenario; `decorated` is what @anomaly gets beside system and durations."""
    text = f"\n@anomaly(system='social_network', durations={durations}, {decorated})\ndef {test}(case):\n"
    return text + "    case.run()\n"


def faults_in(state: Path) -> list[tuple[str, dict]]:
    """The faults that are in now: (name, ref of the deployment), each seen by its own probe from this process.

    An entry of the undo journal says only that someone may have begun to inject it.
    """
    return [(entry["fault"]["name"], entry["ref"]) for entry in _open_faults(state) if _is_seen(entry)]


def _open_faults(state: Path) -> list[dict]:
    entries = []
    for path in (state / "sessions").glob("*/undo.jsonl"):
        entries += [entry for _, entry in UndoJournal(path).open_entries() if entry["op"] == "fault"]
    return entries


def _is_seen(entry: dict) -> bool:
    fault = catalog.make_fault(entry["fault"]["name"], entry["fault"]["parameters"])
    deployment = catalog.find("runtimes", entry["ref"]["runtime"]).attach(entry["ref"])
    try:
        return all(fault.active(deployment, entry["target"]).active for _ in range(2))
    except (AnomodError, OSError, TimeoutError):
        return False  # half way in


def wait_until_in(run: Run, count: int = 1, timeout_s: float = 90.0) -> list[dict]:
    """Wait until so many faults are in; the refs of their deployments."""
    found: list[tuple[str, dict]] = []

    def there() -> bool:
        assert run.process.poll() is None, f"it ended before its fault was in:\n{run.output}"
        found[:] = faults_in(run.state)
        return len(found) >= count

    clock.wait_until(there, timeout_s=timeout_s, what=f"{count} faults to be in")
    return [ref for _, ref in found]


@dataclasses.dataclass(frozen=True)
class Belongings:
    """What a run has while it runs, apart from what is found by looking into its state directory."""

    state: Path
    processes: dict[int, float]
    ports: list[int]
    shared_memory: set[str]

    @classmethod
    def of(cls, run: Run, refs: list[dict]) -> Belongings:
        """All that belongs to a run and its deployments now."""
        found = processes_that_know(run.state)
        block = [port for ref in refs for port in range(ref["base_port"], ref["base_port"] + ports.BLOCK)]
        return cls(
            state=run.state,
            processes=found,
            ports=[port for port in block if not ports.is_free(port)],
            shared_memory=_shared_memory(found),
        )

    def left(self) -> list[str]:
        """A line for each thing that is still there."""
        still = {pid: born for pid, born in self.processes.items() if _born(pid) == born}
        left = [f"process {pid} ({_name(pid)})" for pid in still | processes_that_know(self.state)]
        left += [f"port {port}" for port in self.ports if not ports.is_free(port)]
        left += [f"System V segment {number}" for number, maker in _segments().items() if maker in self.processes]
        left += [f"shared memory {path}" for path in self.shared_memory if Path(path).exists()]
        return left + locks_held(self.state) + [f"directory {path}" for path in (self.state / "sessions").glob("*")]

    def gone_within(self, seconds: float) -> float:
        """Wait until nothing is left; how many seconds that took."""
        began = clock.monotonic_s()
        try:
            clock.wait_until(lambda: not self.left(), timeout_s=seconds, what="everything to be gone", every_s=0.1)
        except TimeoutError:
            pytest.fail(f"after {seconds:g} s there are still {self.left()}")
        return clock.monotonic_s() - began


def processes_that_know(directory: Path) -> dict[int, float]:
    """Processes that work in a directory or have its name in their arguments or environment, with their birth.

    The state directory stands in the environment of everything that a run starts; stores, which overwrite theirs,
    work below it.
    """
    needle, found = str(directory), {}
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        for look in (process.environ, process.cmdline, process.cwd):
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and needle in str(look()):
                    found[process.pid] = process.create_time()
                    break
    return found


def locks_held(state: Path) -> list[str]:
    """Lock files below a directory that somebody holds."""
    held = []
    found = (Path(folder, name) for folder, _, files in os.walk(state) for name in files if name.endswith(".lock"))
    for path in found:
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(f"lock {path.relative_to(state)}")
    return held


def case_directories(out: Path) -> list[Path]:
    """The directories of cases below a dataset's root, whole or not."""
    return sorted(out.glob("system=*/scenario=*/case=*"))


def verdicts(junit: Path) -> dict[str, dict[str, str]]:
    """Per scenario its JUnit properties, plus `failure`: the text of the failure or error, empty for a pass."""
    rows = {}
    for case in ET.parse(junit).iter("testcase"):
        row = {item.get("name", ""): item.get("value", "") for item in case.iter("property")}
        row["failure"] = "".join(
            f"{item.get('message', '')}\n{item.text or ''}" for item in [*case.iter("failure"), *case.iter("error")]
        )
        rows[row.get("anomod_scenario", case.get("name", ""))] = row
    return rows


def _born(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.create_time()
    return None


def _name(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())[:120]
    return "gone meanwhile"


def _shared_memory(pids: dict[int, float]) -> set[str]:
    """Named shared memory that these processes have mapped."""
    paths = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                if "/dev/shm/" in line and "(deleted)" not in line:
                    paths.add("/dev/shm/" + line.partition("/dev/shm/")[2])
    return paths


def _segments() -> dict[int, int]:
    """System V shared memory: id of each segment and the process that made it; empty where that is not listed."""
    try:
        rows = [row.split() for row in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    except OSError:
        return {}
    return {int(row[1]): int(row[4]) for row in rows}

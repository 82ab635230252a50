"""What the tool costs beside the system it looks at: CPU seconds of one case of each system, and of each part.

    python benchmarks/own_cost.py [--system train_ticket] [--scenario NAME] [--profile FILE]

Plays one scenario of each system of `experiments/` alone (runtime process, windows `quick`, with the report), and
prints CPU seconds from the start of the case until its page is drawn: of the pytest process by stage, of every process
it started that is not the system (generator, guardian, programs of the fault), and of the system (all services, stores
and the host they share). Imports are a stage of their own, wherever they happen. Stages are CPU time of their thread,
so that other work on the machine hardly changes them. Needs /proc (Linux).
"""

from __future__ import annotations

import _frozen_importlib
import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = {"train_ticket": "lv_c_exception_injection", "social_network": "code_exception_userservice"}
"""Faults without a program of their own, so that what is counted is the tool's."""

RESULT = "OWN_COST_RESULT"
IMPORTS, REST, NATIVE = "imports", "case: experiment, probes and waiting", "threads of native libraries"
STAGES = {
    "pytest_anomod.sources.grid:GridReader.columns": "harvest: rows of metrics",
    "pytest_anomod.sources.log_files:LogFileReader.columns": "harvest: rows of logs",
    "pytest_anomod.sources.log_files:LogFileReader.stop": "harvest: rows of logs",
    "pytest_anomod.modalities.traces:TraceCollector.columns": "harvest: rows of traces",
    "pytest_anomod.sources.span_files:SpanFileReader.stop": "harvest: rows of traces",
    "pytest_anomod.modalities.api_responses:ResponseCollector.columns": "harvest: rows of api_responses",
    "pytest_anomod.modalities.api_responses:ResponseCollector.stop": "harvest: rows of api_responses",
    "pytest_anomod.sources.line_counter:LineCounterReader.columns": "harvest: rows of coverage",
    "pytest_anomod.sources.line_counter:LineCounterReader.stop": "harvest: rows of coverage",
    "pytest_anomod.dataset.tables:build": "harvest: tables",
    "pytest_anomod.dataset.tables:write_parquet": "harvest: Parquet",
    "pytest_anomod.dataset.tables:to_frame": "harvest: frames",
    "pytest_anomod.dataset.write:CaseWriter.complete": "harvest: hashes and case.json",
    "pytest_anomod.checks:run_checks": "checks",
    "pytest_anomod.checks:judge": "checks",
    "pytest_anomod.checks:steady_again": "checks",
    "pytest_anomod.checks:spread_of": "labels",
    "pytest_anomod.checks:request_labels": "labels",
    "pytest_anomod.report.allure:attach_case": "drawing",
    "pytest_anomod.report.page:draw": "drawing",
}
"""Functions and the stage that their time belongs to; those that a version does not have are left out."""

THREADS = {"metrics": "collect: metrics", "coverage of": "collect: coverage", "pressure": "collect: pressure"}
"""Beginnings of threads' names, and their stage."""

CHILDREN = {"workloads": "generator", "helpers/watch.py": "guardian", "replicas.kit.host": "system"}
"""What a command line holds, and whose process that is."""


@dataclasses.dataclass
class _Thread:
    """The stages that a thread is in, the innermost last, and its CPU seconds that are counted."""

    stages: list[str] = dataclasses.field(default_factory=lambda: [REST])
    counted_s: float = 0.0


class Stages:
    """CPU seconds by stage, each second in the innermost stage of its thread only."""

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._threads: dict[int, _Thread] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the thread's time in here as `name`."""
        stages = self._mine().stages
        self.cut()
        stages.append(name)
        try:
            yield
        finally:
            self.cut()
            stages.pop()

    def cut(self) -> str:
        """Count the calling thread's time until now; return the stage that it is in."""
        thread = self._mine()
        with self._lock:
            self._count(thread, time.thread_time())
        return thread.stages[-1]

    def cut_all(self) -> None:
        """Count the time of all threads until now: of some that look all the while no stage ends."""
        self.cut()
        for native_id, thread in list(self._threads.items()):
            with self._lock, contextlib.suppress(OSError):  # it ended, and was counted then
                nanos = Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()[0]
                self._count(thread, int(nanos) / 1e9)

    def _mine(self) -> _Thread:
        return self._threads.setdefault(threading.get_native_id(), _Thread())

    def _count(self, thread: _Thread, now_s: float) -> None:
        self.seconds[thread.stages[-1]] += max(0.0, now_s - thread.counted_s)
        thread.counted_s = max(thread.counted_s, now_s)

    def forget(self) -> None:
        """The calling thread ends; the next may get its number."""
        self._threads.pop(threading.get_native_id(), None)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted as `name`."""

        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **named)

        return wrapped


class Meter:
    """The pytest plugin that measures, in the process of the case."""

    def __init__(self) -> None:
        self._stages = Stages()
        self._ended: collections.Counter[str] = collections.Counter()
        self._running: dict[int, str] = {}
        self._before: Mapping[str, float] | None = None

    def install(self) -> None:
        """Begin to measure: what is loaded from now on is wrapped as soon as it is there."""
        find_and_load = _frozen_importlib._find_and_load

        def timed(name: str, *rest: Any) -> Any:
            with self._stages.stage(IMPORTS):
                module = find_and_load(name, *rest)
            self._wrap(name)
            return module

        _frozen_importlib._find_and_load = timed
        self._watch_threads()
        self._watch_children()

    def _wrap(self, module: str) -> None:
        for place, stage in STAGES.items():
            where, _, path = place.partition(":")
            if where == module and module in sys.modules:
                owner: Any = sys.modules[module]
                *owners, attribute = path.split(".")
                for name in owners:
                    owner = getattr(owner, name, None)
                function = getattr(owner, attribute, None)
                if function is not None and not hasattr(function, "__wrapped__"):
                    setattr(owner, attribute, self._stages.timed(stage, function))

    def _watch_threads(self) -> None:
        """Count a thread's time in the stage of its name, or in the one it was started in."""
        start, bootstrap = threading.Thread.start, threading.Thread._bootstrap_inner

        def started(thread: threading.Thread) -> None:
            named = (stage for beginning, stage in THREADS.items() if thread.name.startswith(beginning))
            thread.__dict__["own_cost_stage"] = next(named, self._stages.cut())
            start(thread)

        def timed(thread: threading.Thread) -> None:
            try:
                with self._stages.stage(thread.__dict__["own_cost_stage"]):
                    bootstrap(thread)
            finally:
                self._stages.forget()

        threading.Thread.start, threading.Thread._bootstrap_inner = started, timed

    def _watch_children(self) -> None:
        """Count every child when it has ended, before it is reaped."""
        for method in ("_internal_poll", "_try_wait"):
            setattr(subprocess.Popen, method, self._counting(getattr(subprocess.Popen, method)))
        init = subprocess.Popen.__init__

        def started(child: subprocess.Popen[Any], arguments: Any, *rest: Any, **named: Any) -> None:
            init(child, arguments, *rest, **named)
            words = arguments if isinstance(arguments, str) else " ".join(map(str, arguments))
            kinds = (kind for part, kind in CHILDREN.items() if part in words)
            self._running[child.pid] = next(kinds, f"program: {words.split()[0].rpartition('/')[2]}")

        subprocess.Popen.__init__ = started

    def _counting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def looked(child: subprocess.Popen[Any], *arguments: Any, **named: Any) -> Any:
            blocks = method.__name__ == "_try_wait" and not arguments[0] & os.WNOHANG
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | (0 if blocks else os.WNOHANG)):
                    self._ended[self._running.pop(child.pid, "program: unknown")] += cpu_s(child.pid)
            return method(child, *arguments, **named)

        return looked

    def pytest_anomod_case_starting(self) -> None:
        """The window begins."""
        self._before = self._look()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """The page is drawn: the window ends. Taking the system down and the run's files are not in it."""
        if self._before is None:
            return
        after = self._look()
        during = {name: seconds - self._before.get(name, 0.0) for name, seconds in after.items()}
        document = {"before": dict(self._before), "during": during}
        Path(os.environ[RESULT]).write_text(json.dumps(document))

    def _look(self) -> dict[str, float]:
        self._stages.cut_all()
        found = collections.Counter(self._stages.seconds) + self._ended
        found[NATIVE] = time.process_time() - self._stages.seconds.total()
        for pid, kind in self._running.items():
            found[kind] += tree_cpu_s(pid)
        found["wait4 says of ended children"] = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        return dict(found)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process (one that waits to be reaped too) and of its children that were reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and all that descends from it."""
    total = cpu_s(pid)
    with contextlib.suppress(OSError):  # it may end while we look
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(tree_cpu_s(int(child)) for child in (task / "children").read_text().split())
    return total


def measure(system: str, scenario: str, directory: Path, profile: str) -> dict[str, Any]:
    """Play one case in a pytest of its own, and return what its Meter found."""
    result = directory / f"{system}.json"
    program = [sys.executable, *(["-m", "cProfile", "-o", f"{profile}.{system}"] if profile else []), __file__]
    words = [*program, "--meter", str(ROOT / "experiments" / system), "-k", scenario, "-q", "-p", "no:cacheprovider"]
    words += [
        "--anomod-runtime=process",
        f"--anomod-out={directory / 'dataset'}",
        f"--alluredir={directory / 'report'}",
    ]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, RESULT: str(result), "PYTHONPATH": path}
    done = subprocess.run(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:  # a machine under load spoils cases, and not what they cost
        print(done.stdout)
    if not result.exists():
        raise SystemExit(f"there was no case of {system} (exit code {done.returncode})")
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def start_cpu_s(system: str) -> float:
    """What the generator's process costs before it sends anything: it counts as imports."""
    code = "import contextlib, pytest_anomod.workloads.open_loop; from pytest_anomod.model import catalog"
    code += f"; catalog.find('systems', {system!r})\nwith contextlib.suppress(ImportError): import uvloop"
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before


def show(system: str, scenario: str, found: Mapping[str, Mapping[str, float]]) -> None:
    """Print the parts, largest first, then the sums."""
    during = dict(found["during"])
    during.pop("wait4 says of ended children")
    system_s = during.pop("system")
    starting_s = start_cpu_s(system)
    during["generator"] -= starting_s
    imports_s = during.pop(IMPORTS) + starting_s
    tool_s = sum(during.values())
    print(f"\n{system}, {scenario}")
    for name, seconds in sorted(during.items(), key=lambda item: -item[1]):
        print(f"  {seconds:7.2f} s {seconds / tool_s:6.1%}  {name}")
    before = found["before"]
    boot_s = sum(before.values()) - before.get("system", 0.0) - before["wait4 says of ended children"]
    print(f"  {tool_s:7.2f} s         tool, without {imports_s:.2f} s of imports ({starting_s:.2f} s the generator's)")
    print(f"  {system_s:7.2f} s         system")
    print(f"  {tool_s / system_s:7.2f}           ratio")
    print(f"  {boot_s:7.2f} s         tool before the case, {before[IMPORTS]:.2f} s of it imports")


def main() -> None:
    """Measure each system and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=SCENARIOS, action="append", help="only this one; may be given twice")
    parser.add_argument("--scenario", default="", help="another scenario than the default ones")
    parser.add_argument("--profile", default="", metavar="FILE", help="write FILE.SYSTEM for pstats; costs CPU itself")
    options = parser.parse_args()
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores; CPU seconds of one case alone")
    for system in options.system or SCENARIOS:
        scenario = options.scenario or SCENARIOS[system]
        with tempfile.TemporaryDirectory(prefix="own-cost-") as directory:
            show(system, scenario, measure(system, scenario, Path(directory), options.profile))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--meter"]:
        meter = Meter()
        meter.install()
        sys.exit(pytest.main(sys.argv[2:], plugins=[meter]))
    main()

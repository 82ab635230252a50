"""The process that replays a suite: pytest runs its tests, over and over, and the wire records what they send."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import redact_text
from pytest_anomod.workloads.plan import BODY_LIMIT_BYTES
from pytest_anomod.workloads.record import Records, plays_path, reference_path, state_path, write_json
from pytest_anomod.workloads.suite_address import Addresses
from pytest_anomod.workloads.suite_login import log_in
from pytest_anomod.workloads.suite_rounds import REFERENCE_S, shuffled
from pytest_anomod.workloads.suite_wire import Wire, WorkloadOver

FILES = "test_*.py *_test.py *_Test.py *Test.py"
"""Names of test files in a folder: pytest's own, and those that EvoMaster gives."""

_TELLING = re.compile(r"anomod|chaos|fault|inject|blade|toxiproxy|netem|litmus", re.IGNORECASE)
_REPORT_EVERY_S = 0.5
_MOST_FAILURES = 20
_ASK_S = 0.05
_REFERENCE_RPS = 60.0


def pytest_arguments(suite: Path) -> list[str]:
    """The command line of the suite's own pytest: its settings count, its options and our plugin don't."""
    folder = suite if suite.is_dir() else suite.parent
    off = ("anomod", "allure_pytest", "xdist", "cacheprovider", "terminal", "randomly", "rerunfailures")
    return [
        str(suite),
        *(argument for name in off for argument in ("-p", f"no:{name}")),
        *("-o", "addopts=", "-o", f"python_files={FILES}", f"--confcutdir={folder}"),
    ]


class Collected:
    """What pytest finds in a suite: `tests` by node id, and `errors` with their file."""

    def __init__(self) -> None:
        self.tests: list[str] = []
        self.errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why something can't be collected."""
        if report.failed:
            lines = [line[1:].strip() for line in str(report.longrepr).splitlines() if line.startswith("E ")]
            self.errors.append(f"{report.nodeid or 'the suite'}: {' '.join(lines) or report.longrepr}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what was found."""
        self.tests = [item.nodeid for item in session.items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run nothing."""
        return True


class Player(Collected):
    """Plays a suite (a pytest plugin). Its state file says how it goes and why it ended, as the open loop's does.

    On SIGTERM, at the deadline and when the owner dies nothing more is sent; a request in flight gets up to the
    timeout, then the suite is left, wherever it is.
    """

    def __init__(self, spec: Mapping[str, Json], records: Path) -> None:
        super().__init__()
        system = catalog.find("systems", spec["system"])
        self._system = system
        urls = {system.entry: str(spec["entry_url"]), **(spec.get("urls") or {})}
        bases = {base: service or system.entry for base, service in (spec.get("bases") or {}).items()}
        self.suite = Path(spec["suite"])
        self._spec = spec
        self._records_path = records
        self._state_path = state_path(records)
        self._records = Records(records)
        self._wake = threading.Event()
        self._state_lock = threading.Lock()
        self.wire = Wire(
            Addresses({name: url.rstrip("/") for name, url in urls.items()}, bases),
            self._records,
            body_limit=int(spec.get("body_limit_bytes") or BODY_LIMIT_BYTES),
            timeout_s=float(spec["timeout_s"]),
            on_first=self._wake.set,
        )
        self._random = Random(f"{spec['seed']}")
        self._end_reason = ""
        self._ended_s: float | None = None
        self._is_over = False
        self._start_ns, self._start_s, self._due_s = 0, 0.0, 0.0
        self._deadline_s = 0.0
        self._played, self._loops = 0, 0
        self._outcomes: Counter[str] = Counter()
        self._by_test: dict[str, Counter[str]] = {}
        self._failures: dict[str, str] = {}
        self._outcome = ""

    def run(self) -> None:
        """Play until the end, and never return: threads that a suite leaves behind must not hold the process up."""
        self.wire.addresses.guard()
        signal.signal(signal.SIGTERM, self._asked_to_end)
        try:
            sources = self.suite.rglob("*.py") if self.suite.is_dir() else [self.suite]
            self.wire.login = log_in(self._system, str(self._spec["entry_url"]), sources)
            self.wire.install()
            code: int | str = pytest.main(pytest_arguments(self.suite), plugins=[self])
            if not self._end_reason:
                self.end(f"error: {self._why_not(int(code))}")
        except BaseException as error:  # the suite may raise anything, and our own way out is an interrupt
            self.end(redact_text(f"error: {type(error).__name__}: {error}"))
        self._is_over = True
        for exchange in list(self.wire.in_flight):
            exchange.message.error_kind = "cancelled"
            self.wire.end(exchange)
        self._write_state("ended")
        sys.stderr.flush()
        os._exit(0)

    def end(self, reason: str) -> None:
        """Send nothing more from now on; the first reason stays."""
        if not self._end_reason:
            self._end_reason, self._ended_s = reason, clock.monotonic_s()
            self.wire.is_open = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests, again and again unless once is enough; each round sets its fixtures up anew.

        Files of generated tests are sorted by status: each round has its own order, so that windows see the same mix.
        """
        if self.errors or not session.items:
            return True
        self.wire.install()  # what the suite has imported by now is recorded, too
        session.config.option.tbstyle = "line"
        names = journey_names(self.tests)
        self._start_ns, self._start_s = clock.now_ns(), clock.monotonic_s()
        self._deadline_s = self._start_s + float(self._spec["deadline_s"])
        threading.Thread(target=self._watch_over, daemon=True, name="watch").start()
        items = {item.nodeid: item for item in session.items}
        kinds = self._reference(items, names) if self._spec.get("reference") else ([], list(items))
        while not self._end_reason:
            order = shuffled(*kinds, Random(f"{self._spec['seed']} {self._loops}"))
            for test, after in zip(order, [*order[1:], ""], strict=True):
                self._wait_for_turn(float(self._spec["rate_rps"]))
                # who plays twice is set up twice
                self._play(items[test], items.get(after) if after != test else None, names[test])
            self._loops += 1
            if not self.wire.counts.total():
                self.end(f"error: {self._why_not(0)}")
            elif self._spec.get("once"):
                self.end("the suite is over")
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """What a fixture of several tests sends (setUpClass, too) is no step of the test that happens to come first."""
        with self.wire.outside() if fixturedef.scope != "function" else contextlib.nullcontext():
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of a test's parts."""
        if report.failed:
            self._outcome = "failed"
            if len(self._failures) < _MOST_FAILURES:
                self._failures.setdefault(report.nodeid, redact_text(str(report.longrepr))[:500])
        elif report.skipped and self._outcome != "failed":
            self._outcome = "skipped"

    def _play(self, item: pytest.Item, nextitem: pytest.Item | None, journey: str) -> None:
        self.wire.begin_test(journey, self._played)
        self._played += 1
        self._outcome = "passed"
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        self._outcomes[self._outcome] += 1
        self._by_test.setdefault(journey, Counter())[self._outcome] += 1

    def _reference(self, items: Mapping[str, pytest.Item], names: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Play each test once, say what it was like, and wait until the owner has chosen what a round plays."""
        looked: list[Json] = []
        order = Random(f"{self._spec['seed']} reference").sample([*items], len(items))
        for test, after in zip(order, [*order[1:], ""], strict=True):
            self._wait_for_turn(max(_REFERENCE_RPS, float(self._spec["rate_rps"])))
            begun_s = clock.monotonic_s()
            if begun_s > self._start_s + REFERENCE_S or self._end_reason:
                break
            self._play(items[test], items.get(after), names[test])
            seconds = clock.monotonic_s() - begun_s
            looked.append({"test": test, "journey": names[test], "seconds": seconds, "outcome": self._outcome})
        if not self.wire.counts.total():
            self.end(f"error: {self._why_not(0)}")
        write_json(reference_path(self._records_path), {"looked": looked, "of": len(items)})
        while not plays_path(self._records_path).exists() and not self._end_reason:
            clock.sleep(_ASK_S)
        if self._end_reason:
            return [], []
        self._deadline_s = clock.monotonic_s() + float(self._spec["deadline_s"])
        plays = json.loads(plays_path(self._records_path).read_text(encoding="utf-8"))
        return plays["reaching"], plays["others"]

    def _wait_for_turn(self, rate_rps: float) -> None:
        """Keep the declared rate: tests begin 1/rate seconds apart on average, without a fixed period."""
        clock.sleep(self._due_s - clock.monotonic_s())
        self._due_s = clock.monotonic_s() + (0.5 + self._random.random()) / rate_rps

    def _why_not(self, code: int) -> str:
        if self.errors:
            return f"the suite {self.suite.name} can't be collected: {self.errors[0]}"
        if not self.tests:
            return f"the suite {self.suite.name} has no tests (exit code {code} of pytest)"
        if not self._loops and not self._spec.get("reference"):
            return f"pytest left the suite {self.suite.name} with exit code {code} before its tests were over"
        told = ", ".join(f"{count} {name}" for name, count in self._outcomes.items())
        failure = next(iter(self._failures.values()), "")
        elsewhere = (
            [f"{self.wire.elsewhere} requests went to other ports of this machine"] if self.wire.elsewhere else []
        )
        refused = [f"{host} was refused, it is not this machine" for host in self.wire.addresses.refused]
        bases = ", ".join(self._spec.get("bases") or {}) or "none"
        return (
            f"the suite {self.suite.name} ran ({told}) and sent no request to {self._spec['entry_url']}; "
            + "".join(f"{part}; " for part in [*elsewhere, *refused])
            + f"its own base URLs known: {bases}: name the right one with --anomod-suite-base, or read ANOMOD_BASE_URL"
            + (f"; first failure: {failure}" if failure else "")
        )

    def _asked_to_end(self, *_: Any) -> None:
        """SIGTERM: from outside to stop, or from our own thread to leave what the suite is doing."""
        self.end("stopped")
        late = self._ended_s is not None and clock.monotonic_s() > self._ended_s + self.wire.timeout_s
        if not self._is_over and (late or not self.wire.in_flight):
            raise WorkloadOver

    def _watch_over(self) -> None:
        """Write the state twice a second; end at the deadline and when the owner dies; see to it that the end comes."""
        main, owner = threading.main_thread().ident or 0, self._spec.get("owner_pid")
        while not self._is_over:
            if owner is not None and os.getppid() != owner:
                self.end("owner died")
            if clock.monotonic_s() >= self._deadline_s:
                self.end("deadline")
            try:
                self._write_state("sending")
            except OSError as error:
                self.end(f"error: {error}")  # nowhere left to write to: nobody wants the records
            if self._end_reason:
                signal.pthread_kill(main, signal.SIGTERM)
            self._wake.wait(0.1 if self._end_reason else _REPORT_EVERY_S)
            self._wake.clear()

    def _write_state(self, state: str) -> None:
        counts, refused = self.wire.counts, self.wire.addresses.refused
        until_s = self._ended_s if self._ended_s is not None else clock.monotonic_s()
        document = {
            "state": state,
            "pid": os.getpid(),
            "start_unix_nano": self._start_ns,
            "elapsed_s": round(max(0.0, until_s - self._start_s), 3),
            "end_reason": self._end_reason if state == "ended" else "",
            "target_rps": float(self._spec["rate_rps"]),
            "arrivals": self._played,
            "requests": counts.total(),
            "in_flight": len(self.wire.in_flight),
            "shed": 0,
            "cancelled": counts["cancelled"],
            "answered": counts["answered"],
            "tests": len(self.tests),
            "rounds": self._loops,
            "outcomes": dict(self._outcomes),
            "outcomes_by_test": {name: dict(told) for name, told in list(self._by_test.items())},
            "failures": dict(self._failures),
            "elsewhere": self.wire.elsewhere,
            "with_login": self.wire.with_login,
            "refused_without_login": self.wire.refused_without,
            "refused": dict(refused),
        }
        with self._state_lock:  # both threads write, and the last word is that it ended
            if state == "ended" or not self._is_over:
                write_json(self._state_path, document)


def journey_names(tests: Sequence[str]) -> dict[str, str]:
    """A short name for each test by its node id; one that would say too much in telemetry is only a number."""
    short = {test: test.rpartition("::")[2] for test in tests}
    seen = Counter(short.values())
    named = {}
    for number, (test, name) in enumerate(short.items(), 1):
        if seen[name] > 1:
            name = ".".join(test.split("::")[-2:])
        named[test] = f"test-{number}" if _TELLING.search(name) else name
    doubled = Counter(named.values())
    return {test: name if doubled[name] == 1 else f"{name}-{i}" for i, (test, name) in enumerate(named.items(), 1)}


def collect(suite: Path) -> dict[str, Json]:
    """The tests of a suite by node id, and what is wrong with it; no test is run, and nobody elsewhere is asked."""
    Addresses({}, {}).guard()
    found = Collected()
    code = pytest.main(pytest_arguments(suite), plugins=[found])
    return {"tests": found.tests, "errors": found.errors, "code": int(code)}

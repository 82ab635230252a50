"""Leases of cores that all sessions of this user on this host share: first come, first served.

A case leases the cores that it and its system use, for as long as its windows are measured; harvest, checks, drawing
and boots lease some too. So work of one worker waits for the windows of another where there are not cores enough for
both, and with cores to spare nothing waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, processes
from pytest_anomod.host.cores import usable_cores
from pytest_anomod.host.locks import REPORT_AFTER_S
from pytest_anomod.host.pressure import meter
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError

WORK_CORES = 0.5
"""What harvest, checks and drawing lease: a core at low priority."""
BOOT_CORES = 1.0
UNKNOWN_CORES = 1.0
"""What a case of a system leases that nobody has measured yet."""
LEAST_CORES, MOST_CORES = 0.2, 4.0
FOREIGN_SPARED = 0.15
"""Cores that the programs of others may take before they count: this much goes on on any machine."""
EVERY_S = 0.05


@contextlib.contextmanager
def lease(
    cores: float,
    purpose: str,
    *,
    alone: bool = False,
    timeout_s: float = 3_600.0,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[float]:
    """Hold that many cores, or with `alone` all of them; yields the seconds that were waited for them.

    Requests are granted in their order. Cores that other programs use are not granted; a request for more than
    there are is granted once nobody else holds any. `on_wait` is told every 10 s who holds the cores. SafetyError
    after `timeout_s` seconds.
    """
    table = _Table(make_directory(state_root() / "leases"))
    begin_s = clock.monotonic_s()
    ticket = table.ask(cores, purpose, alone)
    try:
        report_s = begin_s + REPORT_AFTER_S
        while (holders := table.grant(ticket)) is not None:
            now_s = clock.monotonic_s()
            if now_s - begin_s >= timeout_s:
                msg = f"waited {timeout_s:g} s for {cores:.1f} cores, held by {holders}; end that or wait"
                raise SafetyError(msg)
            if on_wait is not None and now_s >= report_s:
                on_wait(f"waiting for {cores:.1f} cores, held by {holders}")
                report_s = now_s + REPORT_AFTER_S
            clock.sleep(EVERY_S)
        yield clock.monotonic_s() - begin_s
    finally:
        table.give_back(ticket)


def demand(system: str) -> float:
    """The cores that a case of a system uses, as measured before on this machine."""
    try:
        known = files.read_json(_demands_file())
    except (OSError, ValueError):
        return UNKNOWN_CORES
    return float(known.get(system, UNKNOWN_CORES))


def learn_demand(system: str, cores: float) -> None:
    """Remember what a case used; the mean of what was known and what is new, so that one odd case does little."""
    now = min(MOST_CORES, max(LEAST_CORES, cores))
    with files.edited(_demands_file()) as known:
        known[system] = round((known.get(system, now) + now) / 2, 3)


class _Table:
    """The tickets of all sessions, in a file that one process at a time reads and writes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "tickets.json"

    def ask(self, cores: float, purpose: str, alone: bool) -> dict[str, Any]:
        """Join the queue; return the ticket."""
        ticket = {
            "name": f"{os.getpid()}-{clock.now_ns()}", "pid": os.getpid(),
            "start_time": processes.start_time(os.getpid()), "cores": cores, "alone": alone, "purpose": purpose,
            "granted": False,
        }  # fmt: skip
        with _locked(self._directory):
            self._write([*self._living(), ticket])
        return ticket

    def grant(self, ticket: dict[str, Any]) -> str | None:
        """Take the cores if it is our turn and there are enough: None; else who holds them, in words."""
        with _locked(self._directory):
            entries = self._living()
            if ticket["name"] not in (entry["name"] for entry in entries):
                entries.append(ticket)  # the file was lost or damaged: join the queue again
                self._write(entries)
            place = next(index for index, entry in enumerate(entries) if entry["name"] == ticket["name"])
            mine, others = entries[place], [entry for entry in entries if entry["granted"]]
            waits = any(not entry["granted"] for entry in entries[:place])
            if not waits and self._fits(mine, others):
                mine["granted"] = True
                self._write(entries)
                return None
        named = [entry for entry in entries if entry["granted"]] or entries[:place]
        return ", ".join(f"process {one['pid']} ({one['purpose']}: {one['cores']:.1f})" for one in named) or "others"

    def give_back(self, ticket: dict[str, Any]) -> None:
        """Leave the queue, or return the cores; idempotent."""
        with _locked(self._directory):
            self._write([entry for entry in self._living() if entry["name"] != ticket["name"]])

    def _fits(self, mine: dict[str, Any], others: list[dict[str, Any]]) -> bool:
        if not others:
            return True
        if mine["alone"] or any(entry["alone"] for entry in others):
            return False
        foreign = meter().foreign.now()
        free = usable_cores() - (foreign if foreign > FOREIGN_SPARED else 0.0)
        return sum(entry["cores"] for entry in others) + mine["cores"] <= free + 1e-6

    def _living(self) -> list[dict[str, Any]]:
        """The tickets whose process lives; a damaged file is as good as none."""
        try:
            entries: list[dict[str, Any]] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return []
        living = [entry for entry in entries if processes.is_same(entry["pid"], entry["start_time"])]
        meter().foreign.ours |= {entry["pid"] for entry in living}
        return living

    def _write(self, entries: list[dict[str, Any]]) -> None:
        """Whole or not at all, yet not synced: nobody needs it after a crash, and a stressed disk would hold us up."""
        temporary = self._path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(entries))
        temporary.replace(self._path)


def _demands_file() -> Path:
    return make_directory(state_root() / "leases") / "demands.json"


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

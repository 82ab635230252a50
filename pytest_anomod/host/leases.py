"""Leases of cores that all sessions of this user on this host share: first come, first served.

A case leases the cores that it and its system use, for as long as its windows are measured; harvest, checks, drawing
and boots lease some too. So work of one worker waits for the windows of another where there are not cores enough for
both, and with cores to spare nothing waits.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_anomod.host import files, processes
from pytest_anomod.host.cores import usable_cores
from pytest_anomod.host.locks import flocked
from pytest_anomod.host.pressure import meter
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock

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
def lease(cores: float, purpose: str, *, alone: bool = False, timeout_s: float = math.inf) -> Iterator[None]:
    """Hold that many cores, or with `alone` all of them.

    Requests are granted in their order. Cores that other programs use are not granted; a request for more than
    there are is granted once nobody else holds any. It is waited for as long as the holders live, at most
    `timeout_s` seconds: then SafetyError.
    """
    give_up_s = clock.monotonic_s() + timeout_s
    table = _Table(make_directory(state_root() / "leases"))
    ticket = {
        "name": f"{os.getpid()}-{clock.now_ns()}", "pid": os.getpid(),
        "start_time": processes.start_time(os.getpid()), "cores": cores, "alone": alone, "purpose": purpose,
        "granted": False,
    }  # fmt: skip
    try:
        waits.until(
            lambda: table.grant(ticket, give_up_s),
            f"{cores:.1f} cores",
            lambda: table.holders(ticket),
            give_up_s=give_up_s,
            every_s=EVERY_S,
        )
        yield
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

    def grant(self, ticket: dict[str, Any], give_up_s: float) -> bool:
        """Take the cores if it is our turn and there are enough; else stand in line."""
        with self._locked(give_up_s):
            entries = self._living()
            if ticket["name"] not in (entry["name"] for entry in entries):
                entries.append(ticket)  # it is new, or the file was lost or damaged
                self._write(entries)
            place = next(index for index, entry in enumerate(entries) if entry["name"] == ticket["name"])
            mine, others = entries[place], [entry for entry in entries if entry["granted"]]
            waiting = any(not entry["granted"] for entry in entries[:place])
            if waiting or not self._fits(mine, others):
                return False
            mine["granted"] = True
            self._write(entries)
            return True

    def holders(self, ticket: dict[str, Any]) -> str:
        """Who holds cores, or stands in line before us, in words."""
        others = [entry for entry in self._living() if entry["name"] != ticket["name"]]
        named = [entry for entry in others if entry["granted"]] or others
        return ", ".join(f"process {one['pid']} ({one['purpose']}: {one['cores']:.1f})" for one in named) or "others"

    def give_back(self, ticket: dict[str, Any]) -> None:
        """Leave the queue, or return the cores; idempotent."""
        with self._locked(math.inf):
            self._write([entry for entry in self._living() if entry["name"] != ticket["name"]])

    @contextlib.contextmanager
    def _locked(self, give_up_s: float) -> Iterator[None]:
        path = self._directory / "lock"
        with flocked(path, "the list of leases", lambda: f"process {path.read_text()}", give_up_s=give_up_s):
            path.write_text(str(os.getpid()))
            yield

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
        meter().foreign.sharing = {entry["pid"]: entry["start_time"] for entry in living}
        return living

    def _write(self, entries: list[dict[str, Any]]) -> None:
        """Whole or not at all, yet not synced: nobody needs it after a crash, and a stressed disk would hold us up."""
        temporary = self._path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(entries))
        temporary.replace(self._path)


def _demands_file() -> Path:
    return make_directory(state_root() / "leases") / "demands.json"

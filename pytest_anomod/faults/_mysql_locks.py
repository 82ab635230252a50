"""Transactions of a MySQL or MariaDB that time out: how `transaction_timeout` is injected, seen and recovered there.

Its time-outs are whole seconds, and a session keeps those with which it began. So the services' sessions are ended when
the fault comes and when it goes. The locks are held by a program of ours, with whose end they end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.faults import _mysql, _programs
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_NAME = "table-maintenance"
_WITHIN_S = 10.0


def prepare(deployment: Deployment, target: str, tables: Collection[str]) -> None:
    """See that the tables are there; the client is loaded by that, too."""
    with _mysql.session(deployment, target) as session:
        there = session.tables()
    missing = sorted(set(tables) - set(there))
    if missing:
        msg = f"{target!r} has no table {', '.join(missing)}; it has {', '.join(there)}"
        raise InjectionError(msg)


def inject(
    deployment: Deployment, target: str, tables: Collection[str], *, wait_s: int, reads: bool
) -> Mapping[str, Json]:
    """Shorten the time-outs, then lock the tables; returns once they are locked."""
    with _mysql.session(deployment, target) as session:
        before = session.settings()
        deployment.originals.remember(_key(target), before)
        ended = session.set_all(dict.fromkeys(before, wait_s))
        options = {"tables": ",".join(tables), "reads": int(reads)}
        helper = _programs.start_module(deployment, target, "pytest_anomod.faults.helpers.locker", _NAME, **options)
        try:
            clock.wait_until(lambda: set(tables) <= set(session.in_use()), timeout_s=_WITHIN_S, what="the locks")
        except TimeoutError as error:
            msg = f"no lock on {', '.join(tables)} within {_WITHIN_S:g} s: does a long transaction use them?"
            raise InjectionError(msg) from error
    return {"originals": before, "wait_s": wait_s, "sessions_ended": ended, "helper_pid": helper}


def look(deployment: Deployment, target: str, tables: Collection[str], *, wait_s: int) -> Observation:
    """Whether a statement of ours that wants to write is ended for waiting, and all tables are in use."""
    with _mysql.session(deployment, target) as session:
        now = session.settings()
        evidence: dict[str, Json] = {"waits_s": now}
        if set(now.values()) != {wait_s}:
            return Observation(active=False, evidence=evidence)
        began = clock.monotonic_s()
        timed_out = not session.may_write(next(iter(tables)))
        evidence["timed_out_after_s"] = round(clock.monotonic_s() - began, 3) if timed_out else None
        evidence["locked"] = session.in_use()
        return Observation(active=timed_out and set(tables) <= set(evidence["locked"]), evidence=evidence)


def recover(deployment: Deployment, target: str) -> None:
    """End the program that holds the locks, and set both waits back to what they were."""
    _programs.end(deployment, target, _NAME)
    before = deployment.originals.recall(_key(target))
    if before is None:
        return
    with _mysql.session(deployment, target) as session:
        session.set_all(before)
        now = session.settings()
    if now != before:
        msg = f"{target!r} waits {now} although that was set back to {before}"
        raise InjectionError(msg)
    deployment.originals.forget(_key(target))


def _key(target: str) -> str:
    return f"transaction_timeout {target}"

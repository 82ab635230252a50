"""Plays an experiment with Chaos Toolkit, in this process, and works around what it swallows or gets wrong."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import functools
import json
import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from chaoslib.activity import run_activity
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.run import RunEventHandler
from chaoslib.types import Strategy

from pytest_anomod.chaos import runs
from pytest_anomod.chaos.signals import Interrupts
from pytest_anomod.model import clock
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import SafetyError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.timeline import Phase, openings

_SETTINGS = {"runtime": {"rollbacks": {"strategy": "always"}}}
_MUST_BE_UNDONE = (names.RECOVER, names.AGAIN, names.END_WORKLOAD)
_playing = threading.Lock()


def play(experiment: Mapping[str, Json], *, on_edge: Callable[[str], Any]) -> dict[str, Json]:
    """Play an experiment and return Chaos Toolkit's journal as plain JSON; `experiment` stays as it is.

    `on_edge` hears "history" (if there is one), "baseline", "onset", "anomaly", "release", "recovery", "end" as these
    edges are passed (a control: "baseline", "control", "recovery", "end"; faults in turn: "onset" to "recovery" for
    each), and "baseline" again when that window begins anew. Whatever happens, the rollbacks are played and, where they
    were not or failed, recover and end-workload are done (again); only then is anything raised: what escaped an
    activity or `on_edge`, KeyboardInterrupt, or signals.Terminated for SIGTERM.
    ScenarioError for a document that can't be played, SafetyError outside the main thread.
    """
    document = copy.deepcopy(dict(experiment))
    with contextlib.ExitStack() as stack:
        _require_main_thread()
        stack.enter_context(_only_one())
        stack.enter_context(_quiet())
        _check(document)
        runs.reset()
        interrupts = stack.enter_context(Interrupts())
        watch = _Watch(on_edge, interrupts, document)
        runs.hear_edges(watch.pass_edge)
        stack.push(functools.partial(_raise_what_came, watch))
        stack.push(functools.partial(_undo, document, watch))
        run_experiment(document, settings=_SETTINGS, strategy=Strategy.DEFAULT, event_handlers=[watch])
    journal: dict[str, Json] = json.loads(json.dumps(watch.journal, default=str))
    return journal


def problems(journal: Journal) -> tuple[str, ...]:
    """What went wrong while the experiment was played, judged activity by activity; empty when all was well.

    The toolkit's own status is not used: it is "completed" also for a case in which nothing was injected.
    """
    found = [*_gate_problems(journal)]
    found += [f"{activity.name} failed: {_why(activity)}" for activity in journal.played if not activity.succeeded]
    if journal.refused:
        found.append(f"not played because of what failed before: {', '.join(journal.refused)}")
    known = {activity.name for activity in journal.played} | set(journal.refused)
    if missing := [name for name in journal.planned if name not in known]:
        found.append(f"never reached: {', '.join(missing)}")
    found += [f"{probe.name} failed after the method: {probe.error}" for probe in journal.after if probe.error]
    return tuple(found)


def _gate_problems(journal: Journal) -> Iterator[str]:
    if journal.steady_before is None:
        yield "the steady state was never looked at before the method"
    elif not journal.steady_before:
        for probe in journal.before:
            if not probe.succeeded:
                yield f"the system was not steady before the method: {probe.name}: {_why(probe)}"


def _why(activity: Activity) -> str:
    if activity.error:
        return activity.error
    output = activity.output
    return str(output["status"]) if isinstance(output, Mapping) and "status" in output else f"it answered {output!r}"


class _Watch(RunEventHandler):
    """Keeps the live journal, calls `on_edge`, and sets our signal handlers once the toolkit has set its own.

    The toolkit swallows what an event handler raises: errors of `on_edge` are kept here, and they end the method.
    """

    def __init__(self, on_edge: Callable[[str], Any], interrupts: Interrupts, document: Mapping[str, Any]) -> None:
        self.journal: dict[str, Any] = {}
        self.errors: list[BaseException] = []
        self._on_edge = on_edge
        self.interrupts = interrupts
        planned = [activity["name"] for part in ("method", "rollbacks") for activity in document.get(part) or []]
        self._openings = openings(planned)
        self._is_control = names.INJECT not in planned
        self._passed: list[str] = []

    def started(self, experiment: dict[str, Any], journal: dict[str, Any]) -> None:
        self.journal = journal
        self.interrupts.install()

    def start_rollbacks(self, experiment: dict[str, Any]) -> None:
        self.interrupts.undoing = True

    def start_activity(self, activity: dict[str, Any]) -> None:
        phase, at_end = self._openings.get(activity["name"], (None, True))
        if phase is None or at_end or phase == (self._passed or [""])[-1]:
            return
        if phase is Phase.RELEASE or (self._is_control and phase is Phase.RECOVERY):
            # a rollback: it is played whatever stopped, and opens a window only if there is one to leave
            if (Phase.ONSET if phase is Phase.RELEASE else Phase.CONTROL) in self._passed:
                self.pass_edge(str(phase))
        elif not self._stopped():
            self.pass_edge(str(phase))

    def activity_completed(self, activity: dict[str, Any], run: dict[str, Any]) -> None:
        name, succeeded = activity["name"], run.get("status") == "succeeded"
        phase, at_end = self._openings.get(name, (None, False))
        if succeeded and at_end and (phase is not Phase.RECOVERY or Phase.RELEASE in self._passed):
            self.pass_edge(str(phase))
        elif name == names.RECOVERY and self._passed:
            self.pass_edge("end")

    def _stopped(self) -> bool:
        """Whether the activity that begins will not act: then it opens no window."""
        entries = self.journal.get("run") or []
        return bool(self.errors) or any(entry.get("status", "succeeded") != "succeeded" for entry in entries)

    def pass_edge(self, edge: str) -> None:
        """Tell an edge; what that raises is kept, and ends the method."""
        self._passed.append(edge)
        try:
            self._on_edge(edge)
        except BaseException as error:  # kept, and raised once everything is undone
            self.errors.append(error)
            runs.break_off(f"the edge {edge!r} ended with {type(error).__name__}")


def _undo(
    document: dict[str, Any],
    watch: _Watch,
    kind: type[BaseException] | None,
    cause: BaseException | None,
    tb: TracebackType | None,
) -> None:
    """Play the rollbacks that failed or were not played; an error becomes a note of the cause, never replaces it."""
    watch.interrupts.undoing = True
    entries = watch.journal.setdefault("rollbacks", [])
    done = {entry["activity"]["name"] for entry in entries if entry.get("status") == "succeeded"}
    for activity in document.get("rollbacks", []):
        if names.unnumbered(activity["name"])[0] in _MUST_BE_UNDONE and activity["name"] not in done:
            entry = _play_again(activity, load_configuration(document.get("configuration", {})))
            entries.append(entry)
            if cause is not None and entry["status"] != "succeeded":
                cause.add_note(f"and {activity['name']} failed: {entry['exception'][-1].strip()}")


def _play_again(activity: dict[str, Any], configuration: dict[str, Any]) -> dict[str, Any]:
    """Play one activity outside the experiment; its entry for the journal, in the toolkit's own form."""
    entry: dict[str, Any] = {"activity": activity, "output": None, "start": _now(), "status": "succeeded"}
    try:
        entry["output"] = run_activity(activity, configuration, {})
    except BaseException as error:  # the other undoing must still be done; the entry tells
        entry["status"] = "failed"
        entry["exception"] = traceback.format_exception(type(error), error, None)
    entry["end"] = _now()
    return entry


def _now() -> str:
    return dt.datetime.fromtimestamp(clock.now_ns() / clock.NS_PER_S, tz=dt.UTC).isoformat()


def _raise_what_came(
    watch: _Watch, kind: type[BaseException] | None, cause: BaseException | None, tb: TracebackType | None
) -> None:
    """Raise what the toolkit swallowed, now that all is undone: a signal first, then what escaped, then edges."""
    candidates = (watch.interrupts.error(), cause, *runs.escaped(), *watch.errors)
    came = list(dict.fromkeys(error for error in candidates if error is not None))
    if not came and watch.journal.get("status") == "interrupted":
        came = [KeyboardInterrupt("the experiment was interrupted")]
    if not came:
        return
    first, *others = came
    for other in others:
        if not isinstance(other, type(first)):
            first.add_note(f"and there was {type(other).__name__}: {other}")
    if first is not cause:
        raise first


def _require_main_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        msg = (
            f"an experiment can only be played in the main thread, and this is {threading.current_thread().name!r}: "
            "signals must reach it; run tests in parallel with pytest-xdist, not in threads"
        )
        raise SafetyError(msg)


def _check(document: dict[str, Any]) -> None:
    """Refuse what can't be played safely, before anything is touched."""
    if document.get("secrets"):
        msg = f"experiment {document.get('title')!r} has secrets; Chaos Toolkit would write them into the journal"
        raise ScenarioError(msg)
    for activity in _activities(document):
        _check_activity(activity)
    try:
        ensure_experiment_is_valid(document)
    except ChaosException as error:
        msg = f"experiment {document.get('title')!r} is not valid: {error}"
        raise ScenarioError(msg) from error


def _check_activity(activity: Any) -> None:
    provider = activity.get("provider") if isinstance(activity, dict) else None
    if not isinstance(provider, dict) or provider.get("type") != "python":
        msg = f"activity {activity!r} has no python provider; failures of others go unnoticed"
        raise ScenarioError(msg)
    if activity.get("background"):
        msg = f"activity {activity['name']!r} is to run in the background; only one after the other is played"
        raise ScenarioError(msg)


def _activities(document: dict[str, Any]) -> Iterator[Any]:
    yield from document.get("method") or []
    yield from document.get("rollbacks") or []
    yield from (document.get("steady-state-hypothesis") or {}).get("probes") or []


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Chaos Toolkit keeps activities and controls in module globals: one experiment at a time in a process."""
    if not _playing.acquire(blocking=False):
        msg = "an experiment is being played in this process already; one must end before the next begins"
        raise SafetyError(msg)
    try:
        yield
    finally:
        _playing.release()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Chaos Toolkit's loggers: they report intended deviations as fatal, and the journal has all of it."""
    loggers = [logging.getLogger(name) for name in ("chaostoolkit", "chaostoolkit-lib")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

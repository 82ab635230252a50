"""The state of the experiment that is being played, shared by the activities of one process."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping

from pytest_anomod.chaos.waiting import Patience
from pytest_anomod.model.errors import InjectionError, NotPlayedError
from pytest_anomod.model.fault import Json


@dataclasses.dataclass(slots=True, kw_only=True)
class Run:
    """One experiment that is being played; once `stopped_by` says what failed, no more of the method is played.

    `undone` is called once the workload has ended, so that the guardian forgets it.
    """

    records: str
    workload_module: str
    handle: Mapping[str, Json]
    start_ns: int
    undone: Callable[[], None] = lambda: None
    steady: Mapping[str, Json] | None = None
    patience: Patience = dataclasses.field(default_factory=Patience)
    baseline: tuple[int, int] = (0, 0)
    stopped_by: str = ""
    held: bool = False
    gone: set[str] = dataclasses.field(default_factory=set)
    """Faults with their targets that were seen to be gone."""
    suite: Mapping[str, Json] | None = None
    """What its reference round chose, of a suite or a file."""


@dataclasses.dataclass(slots=True)
class _Process:
    """The state of this process: open runs by their record file, what escaped an activity, and whether to hurry."""

    runs: dict[str, Run] = dataclasses.field(default_factory=dict)
    escaped: list[BaseException] = dataclasses.field(default_factory=list)
    hurry: bool = False
    broken_off: str = ""
    on_edge: Callable[[str], None] | None = None


_process = _Process()


def reset() -> None:
    """Forget what escaped and what was broken off; open runs stay until their workload is ended."""
    _process.escaped.clear()
    _process.hurry = False
    _process.broken_off = ""
    _process.on_edge = None


def hear_edges(on_edge: Callable[[str], None]) -> None:
    """Set who is told of edges that an activity passes by itself: a window that begins anew."""
    _process.on_edge = on_edge


def pass_edge(edge: str) -> None:
    """An activity passes an edge in its middle."""
    if _process.on_edge is not None:
        _process.on_edge(edge)


def find(records: str) -> Run | None:
    """The open run of a record file, or None."""
    return _process.runs.get(records)


def keep(run: Run) -> None:
    """A workload was started: its run is open until `drop`."""
    _process.runs[run.records] = run


def drop(records: str) -> Run | None:
    """Close a run and return it; None when it isn't open."""
    return _process.runs.pop(records, None)


def break_off(reason: str) -> None:
    """Let no more activity of the method act, in any run of this process."""
    _process.broken_off = _process.broken_off or reason


def broken_off(records: str) -> str:
    """Why no more activity acts; empty while all is well."""
    run = find(records)
    return (run.stopped_by if run else "") or _process.broken_off


def escaped() -> tuple[BaseException, ...]:
    """Exceptions beyond Exception (interrupts, outcomes of pytest) that left an activity since `reset`."""
    return tuple(_process.escaped)


def hurry() -> None:
    """End all mere waiting soon, because the process is to end."""
    _process.hurry = True


def must_hurry() -> bool:
    """Whether waiting is to be cut short."""
    return _process.hurry


@contextlib.contextmanager
def step(records: str, name: str) -> Iterator[Run]:
    """An activity of the method acts: only if nothing before it failed; if it fails, nothing after it acts."""
    run = find(records)
    if run is None:
        msg = f"{name}: no workload was started for {records}; play the experiment with its steady-state hypothesis"
        raise InjectionError(msg)
    if reason := broken_off(records):
        raise NotPlayedError(reason)
    try:
        with watched():
            yield run
    except BaseException as error:
        # interrupts too: whatever ends an activity ends the method
        run.stopped_by = f"{name} ended with {type(error).__name__}"
        raise


@contextlib.contextmanager
def rollback(records: str, name: str) -> Iterator[None]:
    """A rollback acts, whatever failed before it; when it fails, nothing that is only waited for is played any more."""
    try:
        with watched():
            yield
    except BaseException as error:  # interrupts too: whatever ends a rollback leaves nothing to wait for
        run = find(records)
        if run is not None and not run.stopped_by:
            run.stopped_by = f"{name} ended with {type(error).__name__}"
        raise


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Remember what Chaos Toolkit would swallow (KeyboardInterrupt, SystemExit) or lose, and pass it on."""
    try:
        yield
    except Exception:  # an ordinary failure is in the journal: the toolkit keeps it
        raise
    except BaseException as error:  # the rest it swallows or lets fly: interrupts, exits, outcomes of pytest
        _process.escaped.append(error)
        raise

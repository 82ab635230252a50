"""Reads which lines of each service ran in each window from its agents, which count anew at every edge."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment, need
from pytest_anomod.model.source import LineCounter
from pytest_anomod.sources._instances import InstanceWatch
from pytest_anomod.sources._rows import Row, to_columns
from pytest_anomod.sources.collect import Reader
from pytest_anomod.sources.read import COMMON

EDGE_WAIT_S = 0.6
"""So long an edge waits for agents; one that is held answers when it is let go, and what it says then is flagged."""
FINAL_WAIT_S = 2.0
LINE_FIELDS = (
    *COMMON, "file", "function", "line", "covered", "truncated", "window_start_unix_nano", "window_end_unix_nano",
)  # fmt: skip
_MODULE = "<module>"


@dataclasses.dataclass(slots=True)
class _Window:
    """The stretch between two edges, and what each agent said at its end."""

    start_ns: int
    end_ns: int
    answers: dict[str, _Answer] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _Answer:
    """What an agent was asked at an edge, and said, maybe later."""

    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    snapshot: Mapping[str, Json] | None = None
    late: bool = False
    error: BaseException | None = None


class LineCounterReader(Reader):
    """Asks every agent for the lines since the edge before, and has it begin anew.

    time_unix_nano of a row is the middle of its window, so that it lies in the window's phase however the edges and
    the journal differ by some milliseconds. `truncated` names all (service, window) that are incomplete, as they are
    when a service is killed, stopped or held; `dropped` counts answers that were still awaited at the end.
    """

    def __init__(self, deployment: Deployment, sources: Sequence[LineCounter]) -> None:
        super().__init__()
        self._deployment = deployment
        self._watch = InstanceWatch(deployment)
        self._services = tuple(source.service for source in sources)
        self._opening = _Window(0, 0)
        self._windows: list[_Window] = []
        self._pending: dict[str, _Answer] = {}
        self._executable: dict[str, dict[str, _Lines]] = {}
        self._stopped = False

    def start(self) -> None:
        """Have all agents begin anew; CaptureError when none answers."""
        self._watch.look()
        now = clock.now_ns()
        self._opening = self._ask(_Window(now, now), FINAL_WAIT_S, full=True)
        answers = self._opening.answers.values()
        if not any(answer.snapshot for answer in answers):
            errors = "; ".join(sorted({str(answer.error or "no answer in time") for answer in answers}))
            msg = f"no agent of {self._deployment.system!r} gives coverage: {errors}"
            raise CaptureError(msg)

    def edge(self, name: str) -> None:
        """Close the window that is open, and open the next."""
        self._close_window(EDGE_WAIT_S)

    def stop(self) -> None:
        """Close the last window; idempotent. CaptureError when an agent said something that can't be read."""
        if self._stopped or not self._opening.end_ns:
            return
        self._stopped = True
        self._close_window(FINAL_WAIT_S)
        for service in self._services:
            self._make_lines(service)
        for window in (self._opening, *self._windows):
            self._learn(window)
            self.dropped += sum(not answer.done.is_set() for answer in window.answers.values())

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """A row per executable line and window, in time order; windows partly in the stretch count as in it."""
        rows: list[Row] = []
        for before, window in itertools.pairwise((self._opening, *self._windows)):
            start, end = max(window.start_ns, start_ns), min(window.end_ns, end_ns)
            if start < end:
                rows.extend(self._rows(before, window, (start + end) // 2))
        return to_columns(rows, LINE_FIELDS, start_ns, end_ns)

    @property
    def truncated(self) -> tuple[tuple[str, int], ...]:
        """(service, start of the window) of all that is incomplete."""
        return tuple(
            (service, window.start_ns)
            for before, window in itertools.pairwise((self._opening, *self._windows))
            for service in self._services
            if not _is_exact(before, window, service)
        )

    def _close_window(self, wait_s: float) -> None:
        now = clock.now_ns()
        window = _Window((self._windows or [self._opening])[-1].end_ns, now)
        self._windows.append(self._ask(window, wait_s))
        self._watch.look()

    def _ask(self, window: _Window, wait_s: float, *, full: bool = False) -> _Window:
        """Ask all agents at once; those still busy with an earlier question are not asked again."""
        for service in self._services:
            pending = self._pending.get(service)
            if pending is not None and not pending.done.is_set():
                continue
            answer = self._pending[service] = window.answers[service] = _Answer()
            threading.Thread(
                target=self._snapshot, args=(service, answer, full), name=f"coverage of {service}", daemon=True
            ).start()
        deadline = clock.monotonic_s() + wait_s
        for service in self._services:
            pending = self._pending[service]
            if not pending.done.wait(max(0.0, deadline - clock.monotonic_s())):
                pending.late = True
        return window

    def _snapshot(self, service: str, answer: _Answer, full: bool) -> None:
        # full: what is known of all files, not only of those that ran
        asked = {"reset": True, "full": True} if full else {"reset": True}
        try:
            snapshot = need(self._deployment, Agent, service).ask("/coverage/snapshot", asked)
            answer.snapshot = {} if snapshot is None else snapshot
        except DeploymentError as error:
            answer.error = error  # killed, stopped or held: the window is truncated, and that is all
        except BaseException as error:  # anything else is a defect of ours; stop() says it, nobody sees a thread die
            answer.error = error
        finally:
            answer.done.set()

    def _make_lines(self, service: str) -> None:
        """Have what an agent gave raw be made into lines, all at once."""
        answers = (window.answers.get(service) for window in (self._opening, *self._windows))
        raw = [answer for answer in answers if answer is not None and "raw" in (answer.snapshot or {})]
        if not raw:
            return
        snapshots = [dict(answer.snapshot or {}) for answer in raw]
        agent = need(self._deployment, Agent, service)
        try:
            made = agent.ask("/coverage/lines", {"snapshots": [snapshot["raw"] for snapshot in snapshots]})
        except DeploymentError as error:
            msg = f"the coverage of {service!r} can't be made into lines: {error}"
            raise CaptureError(msg) from error
        for answer, snapshot, files in zip(raw, snapshots, made, strict=True):
            answer.snapshot = {**snapshot, "files": files}

    def _learn(self, window: _Window) -> None:
        """Take in which lines there are; CaptureError for an agent that died of something else than being away."""
        for service, answer in window.answers.items():
            if answer.error is not None and not isinstance(answer.error, DeploymentError):
                msg = f"the coverage collector died at {service!r}: {type(answer.error).__name__}: {answer.error}"
                raise CaptureError(msg) from answer.error
            for path, entry in _files(service, answer):
                known = self._executable.setdefault(service, {}).setdefault(path, _Lines())
                known.add(entry)

    def _rows(self, before: _Window, window: _Window, time_unix_nano: int) -> Iterator[Row]:
        for service in self._services:
            answer = window.answers.get(service)
            truncated = not _is_exact(before, window, service)
            covered = {path: set(entry["covered"]) for path, entry in _files(service, answer)} if answer else {}
            instance = self._watch.at(service, window.end_ns)
            for path, lines in self._executable.get(service, {}).items():
                ran = covered.get(path, set())
                for line in sorted(lines.executable | ran):
                    yield (
                        time_unix_nano,
                        service,
                        instance,
                        path,
                        lines.function_of(line),
                        line,
                        line in ran,
                        truncated,
                        window.start_ns,
                        window.end_ns,
                    )


class _Lines:
    """What is known of one source file: its executable lines, and the function each belongs to."""

    def __init__(self) -> None:
        self.executable: set[int] = set()
        self._functions: dict[str, tuple[int, int]] = {}
        self._known: dict[int, str] = {}

    def add(self, entry: Mapping[str, Json]) -> None:
        """Take in a snapshot's entry of this file."""
        self.executable |= set(entry.get("executable") or ()) | set(entry["covered"])
        for name, (first, last) in (entry.get("functions") or {}).items():
            if name not in self._functions:
                self._functions[name] = (first, last)
                self._known.clear()

    def function_of(self, line: int) -> str:
        """The innermost function that holds a line."""
        if line not in self._known:
            inside = [(last - first, name) for name, (first, last) in self._functions.items() if first <= line <= last]
            self._known[line] = min(inside)[1] if inside else _MODULE
        return self._known[line]


def _files(service: str, answer: _Answer) -> Iterator[tuple[str, Mapping[str, Json]]]:
    if answer.snapshot is None:
        return
    try:
        for path, entry in answer.snapshot["files"].items():
            yield path, {**entry, "covered": entry["covered"]}
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"the agent of {service!r} gave coverage that can't be read: {answer.snapshot!r:.200}"
        raise CaptureError(msg) from error


def _is_exact(before: _Window, window: _Window, service: str) -> bool:
    """Whether a service's lines are those of this window, no more and no less.

    They are when its agent was asked at both edges, answered in time, and counted without a break from the one
    question to the other: a process that was started in between counts from its own start.
    """
    opened, closed = before.answers.get(service), window.answers.get(service)
    if opened is None or closed is None or opened.late or closed.late or not opened.snapshot or not closed.snapshot:
        return False
    return bool(closed.snapshot.get("since_unix_nano") == opened.snapshot.get("at_unix_nano"))

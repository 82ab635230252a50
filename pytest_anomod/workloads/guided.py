"""Traffic that coverage guides: change a request a little, see which lines it made run, and keep what adds something.

Seeds are the operations of an OpenAPI document and requests that are given. A request is kept when its trace has a line
that none had before, or when its operation gave that status, or that status in the envelope, for the first time. Kept
requests are changed further, those the most whose functions have the most lines left that never ran. Refusals are a
ladder of conditions, and each rung is a new line, at least of this operation: what has one is a step on the way, and
kept to be changed, though it adds nothing by itself.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.guided_drafts import Drafts
from pytest_anomod.workloads.guided_lines import Function, Ground, Line
from pytest_anomod.workloads.guided_values import Values
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Place, Step, Taken

ENVELOPE_KEYS = ("status", "code", "success", "error", "errno", "ok")
ORDER = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Lists first, for ids."""
DELETIONS_FROM = 0.85
"""Deletions are sent after so much of the time: what they take away, other requests need."""
DEEPEST = 12
"""Most requests that a kept one may need before it."""
_DRAFT_SHARE = 0.12
_PATIENCE = 4
"""So many changes that gain nothing halve the chance of an operation."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a request got: its status (0 for no answer), the document of its body if it is one, and its trace."""

    status: int
    document: Json
    trace_id: str


@dataclasses.dataclass(slots=True, kw_only=True)
class Kept:
    """A request that added something. Its step takes values from kept requests, by their numbers."""

    number: int
    step: Step
    answer: Answer
    envelope: str
    functions: Mapping[Function, int]
    """How many of its lines are of each function."""
    new_lines: int
    adds: bool
    """Whether it has a line or an outcome that no request had; else only a line that its operation did not have yet."""
    how: str
    """Where it comes from: seed, draft, or what was changed of which kept request."""
    at_s: float
    tries: int = 0
    tried: Counter[Place] = dataclasses.field(default_factory=Counter)
    """How often a place of it was changed."""


class Lines(Protocol):
    """Says which lines ran; `guided_lines.Meter` is one."""

    ground: Ground

    def after(self, trace_id: str) -> set[Line]:
        """Lines that ran for a request, and maybe for what went before."""


class Explorer:
    """Looks for requests that add something; `kept` and `progress` (seconds, lines, requests) say what came of it."""

    def __init__(
        self,
        operations: Sequence[Operation],
        *,
        ask: Callable[[Step], Answer],
        lines: Lines,
        random: Random,
        seeds: Sequence[Step] = (),
        deletions: bool = False,
    ) -> None:
        self.operations = [one for one in operations if one.method != "DELETE"]
        self.may_delete = False
        self._deletions = [one for one in operations if deletions and one.method == "DELETE"]
        self.kept: list[Kept] = []
        self.progress: list[tuple[float, int, int]] = []
        self.requests = 0
        self.asked: Counter[str] = Counter()
        self._ask, self._lines, self._random = ask, lines, random
        self._seeds = [one for one in seeds if deletions or one.method != "DELETE"]
        self._values = Values()
        self.drafts = Drafts(self._values, random, lambda number: len(chain(self.kept, number)) < DEEPEST)
        self.outcomes: set[tuple[str, int, str]] = set()
        self._by_route = {(one.method, one.route): one for one in operations}
        self._by_operation: dict[str, list[Kept]] = defaultdict(list)
        self._changeable: dict[str, None] = {}
        self._ran: dict[str, set[Line]] = defaultdict(set)
        self._idle: Counter[str] = Counter()
        self._gains: dict[tuple[str, Place], list[int]] = defaultdict(lambda: [1, 2])

    def run(self, seconds: float, rate_rps: float, every: tuple[float, Callable[[], Any]] | None = None) -> None:
        """Send one request after the other for so long, at most so many a second; `every` so many seconds call this."""
        begun = clock.monotonic_s()
        due = begun
        told = 0.0
        for step, how, changed in self.candidates():
            clock.sleep(max(0.0, due - clock.monotonic_s()))
            now = clock.monotonic_s()
            if now - begun >= seconds:
                break
            self.may_delete = now - begun >= DELETIONS_FROM * seconds
            due = max(due + 1 / rate_rps, now - 1.0)  # what was missed is made up for, of one second at most
            self.attempt(step, how, changed, at_s=now - begun)
            self.progress.append((clock.monotonic_s() - begun, len(self._lines.ground.covered), self.requests))
            if every is not None and now - begun - told >= every[0]:
                told = now - begun
                every[1]()

    def attempt(self, step: Step, how: str, changed: Sequence[Place] = (), *, at_s: float = 0.0) -> Kept | None:
        """Send a request, and keep it if it adds something."""
        answers = {source.step: None for source in step.taken.values() if isinstance(source, Taken)}
        answers = {number: self.kept[number].answer.document for number in answers}
        answer = self._ask(step.filled(answers))
        ran = self._lines.after(answer.trace_id)
        new = self._lines.ground.cover(ran)
        self.requests += 1
        name = f"{step.method} {step.route}"
        self.asked[name] += 1
        envelope = envelope_status(answer.document)
        outcome = (name, answer.status, envelope)
        adds, rung = bool(new) or outcome not in self.outcomes, ran - self._ran[name]
        self.outcomes.add(outcome)
        self._ran[name] |= rung
        self._idle[name] = 0 if rung else self._idle[name] + 1
        for place in changed:
            self._gains[name, place][0] += bool(rung)
            self._gains[name, place][1] += 1
        if not adds and not rung:
            return None
        functions = Counter(self._lines.ground.functions[line] for line in ran if line in self._lines.ground.functions)
        kept = Kept(
            number=len(self.kept), step=step, answer=answer, envelope=envelope, functions=dict(functions),
            new_lines=len(new), adds=adds, how=how, at_s=at_s,
        )  # fmt: skip
        self.kept.append(kept)
        self._by_operation[name].append(kept)
        if self._operation_of(step).places:
            self._changeable[name] = None
        if 0 < answer.status < 400:
            self._values.learn(kept.number, step.route, answer.document)
        return kept

    def candidates(self) -> Iterator[tuple[Step, str, Sequence[Place]]]:
        for step in self._seeds:
            yield step, "seed", ()
        first = sorted(self.operations, key=lambda one: (ORDER.index(one.method), len(one.places) > 0))
        for operation in first:
            yield self.drafts.drafted(operation), "draft", ()
        while True:
            if self.may_delete and self._deletions:
                self.operations += self._deletions
                yield from ((self.drafts.drafted(one), "draft", ()) for one in self._deletions)
                self._deletions = []
            if self.operations and (not self._changeable or self._random.random() < _DRAFT_SHARE):
                operation = min(
                    self._random.sample(self.operations, min(4, len(self.operations))),
                    key=lambda one: self.asked[one.name],
                )
                yield self.drafts.drafted(operation), "draft", tuple(operation.places)
            elif self._changeable:
                yield self._changed(self._chosen())
            else:
                return

    def _chosen(self) -> Kept:
        """A kept request, of an operation whose functions have lines left and which gained something not long ago.

        Of its requests those that ran the most lines are the likeliest, and those that were tried the least.
        """
        left, functions = self._lines.ground.left, self._lines.ground.functions
        names = list(self._changeable)
        reached = ({functions[line] for line in self._ran[name] if line in functions} for name in names)
        ground = [sum(len(left[function]) for function in each) for each in reached]
        weights = [(lines + 0.2) / (_PATIENCE + self._idle[name]) for name, lines in zip(names, ground, strict=True)]
        among = self._by_operation[self._random.choices(names, weights)[0]]
        deep = [1 + sum(kept.functions.values()) for kept in among]
        depths = [(one / max(deep)) ** 4 / (1 + kept.tries) ** 0.5 for one, kept in zip(deep, among, strict=True)]
        chosen = self._random.choices(among, depths)[0]
        chosen.tries += 1
        return chosen

    def _operation_of(self, step: Step) -> Operation:
        return self._by_route.get((step.method, step.route)) or _as_operation(step)

    def _changed(self, kept: Kept) -> tuple[Step, str, Sequence[Place]]:
        """A kept request with one field changed, or with several from one object of an answer."""
        step, random = kept.step, self._random
        operation = self._operation_of(step)
        places = list(operation.places)
        if random.random() < 0.25:
            row = self.drafts.row_for(operation)
            if row:
                for place, seen in row.items():
                    step = self.drafts.spliced(step, place, seen)
                return step, f"{kept.number}: an object of an answer", tuple(row)
        gains = [self._gains[operation.name, place] for place in places]
        weights = [
            gained / tried / (1 + kept.tried[place]) for place, (gained, tried) in zip(places, gains, strict=True)
        ]
        chosen = random.choices(places, weights, k=1 if random.random() < 0.75 else 2)
        kept.tried.update(chosen)
        for place in chosen:
            step = self.drafts.revalued(step, operation, place)
        return step, f"{kept.number}: {', '.join(_shown(place) for place in dict.fromkeys(chosen))}", tuple(chosen)


def chain(kept: Sequence[Kept], number: int) -> list[int]:
    """The numbers of the kept requests that one needs, in order, itself the last."""
    needed: set[int] = set()
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one not in needed:
            needed.add(one)
            waiting.extend(source.step for source in kept[one].step.taken.values() if isinstance(source, Taken))
    return sorted(needed)


def envelope_status(document: Json) -> str:
    """What an answer says of itself inside: the value of its status, code or the like; "" where it says nothing."""
    if isinstance(document, dict):
        for key in ENVELOPE_KEYS:
            value = document.get(key)
            if isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= 20):
                return f"{key}={value}"
    return ""


def _as_operation(step: Step) -> Operation:
    """A request that no document describes, as an operation: its query and its body's values by their types."""
    places: dict[Place, Mapping[str, Any]] = {("query", name): {"type": "string"} for name in step.query}
    places |= {place: {"type": _TYPES.get(type(value), "")} for place, value in _leaves(step.body, ("body",))}
    return Operation(step.method, step.route, places, frozenset(), step.kind)


_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def _leaves(value: Json, place: Place) -> Iterator[tuple[Place, Json]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*place, 0))
    elif len(place) > 1:
        yield place, value


def _shown(place: Place) -> str:
    return ".".join(map(str, place))

"""Traffic that coverage guides: change a request a little, see which lines it made run, and keep what adds something.

Seeds are the operations of an OpenAPI document and requests that are given. A request is kept when its trace has a line
that none had before, or when its operation gave that status, or that status in the envelope, for the first time. Kept
requests are changed further, those the most whose functions have the most lines left that few tries ran in vain.
Refusals are a ladder of conditions, and each rung is a new line, at least of this operation: what has one is a step on
the way, and kept to be changed, though it adds nothing by itself.

What a system has after a request it had not before: lists of the services that ran are read again then, and the ids in
them are the first to be used. So requests come in sequences: what makes something, what lists it, what uses it.

From elsewhere: more tries where few ran in vain (AFLFast, Böhme et al., CCS 2016), ways of changing by what each gained
(MOpt, Lyu et al., USENIX Security 2019), producers and consumers of values (RESTler, Atlidakis et al., ICSE 2019).
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.guided_changes import Changes, as_operation
from pytest_anomod.workloads.guided_drafts import Drafts
from pytest_anomod.workloads.guided_lines import Function, Ground, Line
from pytest_anomod.workloads.guided_values import Values
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Place, Step

ENVELOPE_KEYS = ("status", "code", "success", "error", "errno", "ok")
ORDER = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Lists first, for ids."""
FROM = {"PUT": 0.7, "PATCH": 0.7, "DELETE": 0.85}
"""These are sent after so much of the time: what they change or take away, other requests need."""
DEEPEST = 12
"""Most requests that a kept one may need before it."""
MOST_READ_AGAIN = 2
"""Lists, and other answers, that are read again after a request that made something."""
_COMMON = 0.4
"""A service that ran for so many kept requests, as a gateway does, says nothing of what they are about."""
_PATIENCE = 4
_STALE = 0.7
_REFUSED = {"status=0", "success=False", "ok=False", "status=error", "status=fail", "status=failed"}


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a request got: its status (0 for no answer), the document of its body if it is one, and its trace."""

    status: int
    document: Json
    trace_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Try:
    """A request to be sent, how it came to be, the places that were changed, and the kept requests before it."""

    step: Step
    how: str
    places: tuple[Place, ...] = ()
    way: str = ""
    after: tuple[int, ...] = ()


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
    after: tuple[int, ...] = ()
    """Kept requests that must come before it, besides those that its step takes values from."""
    tries: int = 0
    tried: Counter[Place] = dataclasses.field(default_factory=Counter)
    """How often a place of it was changed."""

    @property
    def went_well(self) -> bool:
        """Whether it was answered and not refused, as far as status and envelope say."""
        return 0 < self.answer.status < 400 and self.envelope not in _REFUSED and self.answer.document is not False


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
        login: Mapping[str, str] | None = None,
        deletions: bool = False,
    ) -> None:
        self.kept: list[Kept] = []
        self.progress: list[tuple[float, int, int]] = []
        self.outcomes: set[tuple[str, int, str]] = set()
        self.seeded: set[tuple[str, int, str]] = set()
        """The outcomes that seeds had."""
        self.requests = 0
        self.share = 0.0
        """How much of the time is over."""
        self._ask, self._lines, self._random = ask, lines, random
        self._seeds = [one for one in seeds if deletions or one.method != "DELETE"]
        self._waiting = sorted(
            (one for one in operations if deletions or one.method != "DELETE"),
            key=lambda one: (ORDER.index(one.method), len(one.places) > 0),
        )
        self.values = Values()
        self.values.learn_login(login or {})
        self.drafts = Drafts(self.values, random, lambda number: len(chain(self.kept, [number])) < DEEPEST)
        self.changes = Changes(self.drafts, random)
        self._by_route = {(one.method, one.route): one for one in operations}
        self._by_operation: dict[str, list[Kept]] = defaultdict(list)
        self._changeable: dict[str, None] = {}
        self._ran: dict[str, set[Line]] = defaultdict(set)
        self._functions: dict[str, set[Function]] = defaultdict(set)
        self._stale: Counter[Function] = Counter()
        self._idle: Counter[str] = Counter()
        self._readers: dict[str, list[Kept]] = defaultdict(list)
        self._next: deque[Try] = deque()

    def run(self, seconds: float, rate_rps: float, every: tuple[float, Callable[[], Any]] | None = None) -> None:
        """Send one request after the other for so long, at most so many a second; `every` so many seconds call this."""
        begun = clock.monotonic_s()
        due = begun
        told = 0.0
        for one in self.candidates():
            clock.sleep(max(0.0, due - clock.monotonic_s()))
            now = clock.monotonic_s()
            if now - begun >= seconds:
                break
            self.share = (now - begun) / seconds
            due = max(due + 1 / rate_rps, now - 1.0)  # what was missed is made up for, of one second at most
            self.attempt(one, at_s=now - begun)
            self.progress.append((clock.monotonic_s() - begun, len(self._lines.ground.covered), self.requests))
            if every is not None and now - begun - told >= every[0]:
                told = now - begun
                every[1]()

    def attempt(self, one: Try, *, at_s: float = 0.0) -> Kept | None:
        """Send a request, and keep it if it adds something."""
        step = self.drafts.spared(one.step)
        answer = self._ask(step.filled({number: self.kept[number].answer.document for number in step.needs()}))
        ran = self._lines.after(answer.trace_id)
        new = self._lines.ground.cover(ran)
        self.requests += 1
        name = f"{step.method} {step.route}"
        outcome = (name, answer.status, envelope_status(answer.document))
        adds, rung = bool(new) or outcome not in self.outcomes, ran - self._ran[name]
        self.outcomes.add(outcome)
        if one.how == "seed":
            self.seeded.add(outcome)
        functions = Counter(self._lines.ground.functions[line] for line in ran if line in self._lines.ground.functions)
        self._count(name, functions, new, rung)
        self.changes.gained(one.way, name, one.places, lines=len(new), rung=bool(rung))
        kept = Kept(
            number=len(self.kept), step=step, answer=answer, envelope=outcome[2], functions=functions,
            new_lines=len(new), adds=adds, how=one.how, at_s=at_s, after=one.after,
        )  # fmt: skip
        learnt = 0
        if adds or rung or one.after:
            learnt = self._learn(kept)
        if not (adds or rung or (one.after and learnt)):
            return None
        self.kept.append(kept)
        self._by_operation[name].append(kept)
        if self._operation_of(step).places:
            self._changeable[name] = None
        if kept.went_well and not one.after and (learnt or step.method == "GET"):
            for service in {service for service, _, _ in functions}:
                self._readers[service].append(kept)
        if adds and kept.went_well and step.method not in ("GET", "HEAD", "OPTIONS") and not one.after:
            self._read_again(kept)
        return kept

    def _count(self, name: str, functions: Mapping[Function, int], new: set[Line], rung: set[Line]) -> None:
        """Remember what ran, and how often in vain."""
        gained = {self._lines.ground.functions.get(line) for line in new}
        for function in functions:
            self._stale[function] = 0 if function in gained else self._stale[function] + 1
        self._ran[name] |= rung
        self._functions[name] |= set(functions)
        self._idle[name] = 0 if rung else self._idle[name] + 1

    def _learn(self, kept: Kept) -> int:
        """Take in values of a request that was answered; how many are new."""
        if not 0 < kept.answer.status < 400:
            return 0
        makes = kept.step.method not in ("GET", "HEAD", "OPTIONS")
        if makes and kept.went_well:
            self.values.learn_sent(kept.number, kept.step)
        made = bool(kept.after) or (makes and kept.went_well)
        return self.values.learn(kept.number, kept.step.route, kept.answer.document, made=made)

    def _read_again(self, maker: Kept) -> None:
        """Have lists read again that the services of a request gave, which made something."""
        if len(chain(self.kept, [maker.number])) >= DEEPEST // 2:
            return
        most = _COMMON * max(len(self.kept), 10)
        services = sorted({service for service, _, _ in maker.functions})
        readers = [one for name in services if len(self._readers[name]) < most for one in self._readers[name]]
        lists = {one.step.route: one for one in readers if one.step.method == "GET" and "{" not in one.step.route}
        others = {one.step.route: one for one in readers if one.step.route not in lists}
        for among in (lists, others):
            for reader in self._random.sample(list(among.values()), min(MOST_READ_AGAIN, len(among))):
                how = f"{reader.number} again after {maker.number}"
                self._next.append(Try(reader.step, how, after=(maker.number,)))

    def candidates(self) -> Iterator[Try]:
        """What to send next, for ever unless there is nothing that could be changed."""
        yield from (Try(step, "seed") for step in self._seeds)
        while True:
            if self._next:
                yield self._next.popleft()
            elif ready := next((one for one in self._waiting if self.share >= FROM.get(one.method, 0.0)), None):
                self._waiting.remove(ready)
                yield Try(self.drafts.drafted(ready), "draft")
            elif self._changeable:
                yield self._changed(self._chosen())
            else:
                return

    def _chosen(self) -> Kept:
        """A kept request, of an operation whose functions have lines left that were not tried for long in vain.

        Of its requests those that ran the most lines are the likeliest, and those that were tried the least.
        """
        left = self._lines.ground.left
        worth = {function: len(lines) / (1 + self._stale[function]) ** _STALE for function, lines in left.items()}
        names = list(self._changeable)
        weights = [
            (0.05 + sum(worth.get(function, 0.0) for function in self._functions[name]))
            / (_PATIENCE + self._idle[name]) ** 0.5
            for name in names
        ]
        among = self._by_operation[self._random.choices(names, weights)[0]]
        deep = [1 + sum(kept.functions.values()) for kept in among]
        depths = [(one / max(deep)) ** 4 / (1 + kept.tries) ** 0.5 for one, kept in zip(deep, among, strict=True)]
        chosen = self._random.choices(among, depths)[0]
        chosen.tries += 1
        return chosen

    def _operation_of(self, step: Step) -> Operation:
        return self._by_route.get((step.method, step.route)) or as_operation(step)

    def _changed(self, kept: Kept) -> Try:
        """A kept request, changed in one way."""
        way, step, places = self.changes.changed(kept.step, self._operation_of(kept.step), kept.tried)
        shown = ", ".join(".".join(map(str, place)) for place in dict.fromkeys(places))
        return Try(step, f"{kept.number}: {way} {shown}".rstrip(), places, way)


def chain(kept: Sequence[Kept], numbers: Sequence[int]) -> list[int]:
    """The numbers of the kept requests that some need, in order, themselves included."""
    needed: set[int] = set()
    waiting = list(numbers)
    while waiting:
        one = waiting.pop()
        if one not in needed:
            needed.add(one)
            waiting.extend(kept[one].step.needs())
            waiting.extend(kept[one].after)
    return sorted(needed)


def envelope_status(document: Json) -> str:
    """What an answer says of itself inside: the value of its status, code or the like; "" where it says nothing."""
    if isinstance(document, dict):
        for key in ENVELOPE_KEYS:
            value = document.get(key)
            if isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= 20):
                return f"{key}={value}"
    return ""

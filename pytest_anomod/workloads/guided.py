"""Traffic that coverage guides: change a request a little, see which lines it made run, and keep what adds something.

Seeds are the operations of an OpenAPI document and requests that are given. A request is kept when its trace has a line
that none had before, or when its operation gave that status, or that status in the envelope, for the first time. Kept
requests are changed further, those the most whose functions have the most lines left that never ran: refusals are a
ladder of conditions, and each rung is a new line.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.guided_lines import Function, Ground, Line
from pytest_anomod.workloads.guided_values import Seen, Values, day_for, words
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import NONE, Day, Place, Step, Taken

ENVELOPE_KEYS = ("status", "code", "success", "error", "errno", "ok")
ORDER = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Lists first, for ids; what takes things away last."""
DEEPEST = 12
"""Most requests that a kept one may need before it."""
_SURE = 0.8
_DRAFT_SHARE = 0.12


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
    how: str
    """Where it comes from: seed, draft, or what was changed of which kept request."""
    at_s: float
    tries: int = 0


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
        self.operations = [one for one in operations if deletions or one.method != "DELETE"]
        self.kept: list[Kept] = []
        self.progress: list[tuple[float, int, int]] = []
        self.requests = 0
        self.asked: Counter[str] = Counter()
        self._ask, self._lines, self._random = ask, lines, random
        self._seeds = [one for one in seeds if deletions or one.method != "DELETE"]
        self._values = Values()
        self._outcomes: set[tuple[str, int, str]] = set()
        self._by_route = {(one.method, one.route): one for one in self.operations}
        self._deepest: dict[Function, int] = {}
        self._gains: dict[tuple[str, Place], list[int]] = defaultdict(lambda: [1, 2])

    def run(self, seconds: float, rate_rps: float) -> None:
        """Send one request after the other for so long, at most so many a second."""
        begun = clock.monotonic_s()
        due = begun
        for step, how, changed in self._candidates():
            clock.sleep(max(0.0, due - clock.monotonic_s()))
            now = clock.monotonic_s()
            if now - begun >= seconds:
                break
            due = max(due + 1 / rate_rps, now - 1.0)  # what was missed is made up for, of one second at most
            self.attempt(step, how, changed, at_s=now - begun)
            self.progress.append((clock.monotonic_s() - begun, len(self._lines.ground.covered), self.requests))

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
        is_new = bool(new) or outcome not in self._outcomes
        self._outcomes.add(outcome)
        for place in changed:
            self._gains[name, place][0] += bool(new)
            self._gains[name, place][1] += 1
        if not is_new:
            return None
        functions = Counter(self._lines.ground.functions[line] for line in ran if line in self._lines.ground.functions)
        kept = Kept(
            number=len(self.kept), step=step, answer=answer, envelope=envelope, functions=dict(functions),
            new_lines=len(new), how=how, at_s=at_s,
        )  # fmt: skip
        self.kept.append(kept)
        for function, count in functions.items():
            best = self._deepest.get(function)
            if best is None or self.kept[best].functions[function] < count:
                self._deepest[function] = kept.number
        if 0 < answer.status < 400:
            self._values.learn(kept.number, step.route, answer.document)
        return kept

    def _candidates(self) -> Iterator[tuple[Step, str, Sequence[Place]]]:
        for step in self._seeds:
            yield step, "seed", ()
        first = sorted(self.operations, key=lambda one: (ORDER.index(one.method), len(one.places) > 0))
        for operation in first:
            yield self._drafted(operation), "draft", ()
        while True:
            if self.operations and (not self.kept or self._random.random() < _DRAFT_SHARE):
                operation = min(
                    self._random.sample(self.operations, min(4, len(self.operations))),
                    key=lambda one: self.asked[one.name],
                )
                yield self._drafted(operation), "draft", tuple(operation.places)
            elif self.kept:
                yield self._changed(self._chosen())
            else:
                return

    def _chosen(self) -> Kept:
        """A kept request: the more lines its functions have left, and the less it was tried, the likelier."""
        left = self._lines.ground.left
        weights = []
        for kept in self.kept:
            ground = sum(
                len(left[function]) * (1.0 if self._deepest[function] == kept.number else 0.15)
                for function in kept.functions
            )
            weights.append((ground + 0.2) / (1 + kept.tries))
        chosen = self._random.choices(self.kept, weights)[0]
        chosen.tries += 1
        return chosen

    def _changed(self, kept: Kept) -> tuple[Step, str, Sequence[Place]]:
        """A kept request with one field changed, or with several from one object of an answer."""
        step, random = kept.step, self._random
        operation = self._by_route.get((step.method, step.route)) or _as_operation(step)
        places = list(operation.places)
        if not places or (step.kind == NONE and not places):
            return self._drafted(random.choice(self.operations)), "draft", ()
        if random.random() < 0.2:
            row = self._row_for(operation)
            if row:
                for place, seen in row.items():
                    step = self._spliced(step, place, seen)
                return step, f"{kept.number}: an object of an answer", tuple(row)
        weights = [self._gains[operation.name, place][0] / self._gains[operation.name, place][1] for place in places]
        chosen = random.choices(places, weights, k=1 if random.random() < 0.75 else 2)
        for place in chosen:
            step = self._revalued(step, operation, place)
        return step, f"{kept.number}: {', '.join(_shown(place) for place in dict.fromkeys(chosen))}", tuple(chosen)

    def _revalued(self, step: Step, operation: Operation, place: Place) -> Step:
        """A step with another value at a place."""
        random, schema = self._random, operation.places[place]
        roll = random.random()
        if roll < 0.55 and (fitting := self._values.fitting(operation, place)[:24]):
            score_and_seen = random.choices(fitting, [score**2 for score, _ in fitting])[0]
            return self._spliced(step, place, score_and_seen[1])
        name = words(str(schema.get("x-name", place[-1])))
        if roll < 0.7 and (day := day_for(name, step.value(place), random)):
            return dataclasses.replace(step, taken={**step.taken, place: day}).with_value(place, day.of({}))
        if roll < 0.78 and (seen := self._values.any_of(schema, place, random)):
            return self._spliced(step, place, seen)
        if roll > 0.95 and place[0] != "path" and place not in operation.required:
            return step.without(place)
        return self._written(step, place, special(schema, step.value(place), random))

    def _drafted(self, operation: Operation) -> Step:
        """A request of an operation, each value the likeliest that was seen, is given as an example, or is simple."""
        step, random = operation.empty(), self._random
        row = self._row_for(operation) if len(operation.places) > 2 and random.random() < 0.7 else {}
        left_out = random.choice((0.0, 0.1, 0.5))
        for place, schema in operation.places.items():
            if place not in operation.required and place[0] != "path" and random.random() < left_out:
                continue
            if place in row:
                step = self._spliced(step, place, row[place])
                continue
            name = words(str(schema.get("x-name", place[-1])))
            fitting = self._values.fitting(operation, place)[:6]
            if given := _given(schema):
                step = self._written(step, place, random.choice(given))
            elif fitting and fitting[0][0] >= _SURE and random.random() < 0.9:
                likely = [pair for pair in fitting if pair[0] >= fitting[0][0] - 0.5]
                step = self._spliced(step, place, random.choice(likely)[1])
            elif day := day_for(name, None, random):
                step = dataclasses.replace(step, taken={**step.taken, place: day}).with_value(place, day.of({}))
            else:
                step = self._written(step, place, special(schema, None, random))
        return step

    def _row_for(self, operation: Operation) -> dict[Place, Seen]:
        """An object of an answer of which several values have the names of fields: all of them together."""
        random, rows = self._random, self._values.rows
        best: dict[Place, Seen] = {}
        named = {
            str(schema.get("x-name", place[-1])): place
            for place, schema in operation.places.items()
            if schema.get("type") != "array"
        }
        for row in random.sample(rows, min(40, len(rows))):
            found = {place: row[name] for name, place in named.items() if name in row}
            if len(found) > max(1, len(best)):
                best = found
        return best

    def _spliced(self, step: Step, place: Place, seen: Seen) -> Step:
        """A step with a value of an answer, unless too many requests would be needed before it."""
        step = step.with_value(place, seen.value)
        if len(chain(self.kept, seen.source.step)) >= DEEPEST:
            return self._untaken(step, place)
        return dataclasses.replace(self._untaken(step, place), taken={**_above(step, place), place: seen.source})

    def _written(self, step: Step, place: Place, value: Json) -> Step:
        return self._untaken(step.with_value(place, value), place)

    def _untaken(self, step: Step, place: Place) -> Step:
        return dataclasses.replace(step, taken=_above(step, place))


def _above(step: Step, place: Place) -> dict[Place, Taken | Day]:
    """What a step takes from answers, but for a place and what is inside it."""
    return {other: source for other, source in step.taken.items() if other[: len(place)] != place}


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


def special(schema: Mapping[str, Any], now: Json, random: Random) -> Json:
    """A simple value of a schema's type, or one next to what is there now."""
    given = _given(schema)
    if given and random.random() < 0.7:
        return random.choice(given)
    told = schema.get("type")
    kind = next((one for one in told if one != "null"), "") if isinstance(told, list) else str(told or "")
    if (schema.get("nullable") or (isinstance(told, list) and "null" in told)) and random.random() < 0.1:
        return None
    if kind == "boolean":
        return not now if isinstance(now, bool) else random.random() < 0.5
    if kind in ("integer", "number"):
        near = [now + 1, now - 1] if isinstance(now, int | float) and not isinstance(now, bool) else []
        least = [schema["minimum"]] if isinstance(schema.get("minimum"), int | float) else []
        return random.choice([0, 1, 2, 3, 4, 5, 10, 100, -1, *near, *least])
    if kind == "array":
        return [] if random.random() < 0.3 else list(now or []) + list(now or [])[:1]
    if kind == "object":
        return {}
    if schema.get("format") == "uuid":
        return str(uuid.UUID(int=random.getrandbits(128), version=4))
    return random.choice(["", "1", "0", "2", "a", f"x{random.getrandbits(32):08x}", f"x{random.getrandbits(32):08x}"])


def _given(schema: Mapping[str, Any]) -> list[Json]:
    """Values that a document itself gives for a field."""
    given = [schema[word] for word in ("example", "default", "const") if schema.get(word) is not None]
    examples = schema.get("examples")
    return [*given, *(examples if isinstance(examples, list) else ()), *(schema.get("enum") or ())]


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

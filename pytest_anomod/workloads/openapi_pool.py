"""A seeded pool of requests for an OpenAPI document: our drafts with values seen in answers, and schemathesis' own.

Only what was answered below 400 twice is played. Ids come from examples in the document and from lists that are asked
for first.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.workloads.guided_drafts import Drafts
from pytest_anomod.workloads.guided_values import Values
from pytest_anomod.workloads.openapi_document import Operation, base_path, operations, read_document
from pytest_anomod.workloads.script import FORM, NONE, Day, Script, Step, journey_name, put, text_of

if TYPE_CHECKING:
    from pytest_anomod.workloads.scripted import Trial

ORDER = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
DRAFTS = 3
"""Requests of ours that are tried for an operation before those of schemathesis."""
EXAMPLES = 3
"""Requests that schemathesis makes of an operation."""


def check_document(path: Path) -> None:
    """ScenarioError for a file that is no OpenAPI document, and where schemathesis is missing."""
    import importlib.util

    read_document(path)
    if importlib.util.find_spec("schemathesis") is None:
        msg = (
            f"openapi:{path}: schemathesis, which makes values, is not installed: pip install 'pytest-anomod[openapi]'"
        )
        raise ScenarioError(msg)


async def answered_requests(
    path: Path, trial: Trial, *, seed: int | str, deletions: bool
) -> tuple[list[Script], list[str]]:
    """A journey of one request for each operation that answered below 400 twice; and the operations that did not."""
    document = read_document(path)
    known = [one for one in operations(document) if deletions or one.method != "DELETE"]
    known.sort(key=lambda one: (ORDER.index(one.method), len(one.places) > 0))
    examples = generated(document, known, seed)
    drafts = Drafts(Values(), Random(f"{seed} drafts"))
    kept: list[Script] = []
    left_out: list[str] = []
    for number, operation in enumerate(known):
        status = 0
        for step in _tries(operation, drafts, examples.get(operation.name, list)):
            status, answer = (await trial.answers([step]))[0]
            if 0 < status < 400:
                status = (await trial.answers([step]))[0][0]
            if 0 < status < 400:
                drafts.values.learn(number, operation.route, answer)
                kept.append(Script(name=journey_name(step), steps=(_fixed(step),)))
                break
        else:
            left_out.append(f"{operation.name}: {status or 'no answer'}")
    return kept, left_out


def _tries(operation: Operation, drafts: Drafts, examples: Callable[[], list[Step]]) -> Iterator[Step]:
    """Requests of an operation, one after the other until one is answered; each draft knows what was seen by then."""
    for _ in range(DRAFTS if operation.places else 1):
        yield drafts.drafted(operation)
    yield from examples()


def generated(
    document: Mapping[str, Any], known: list[Operation], seed: int | str
) -> dict[str, Callable[[], list[Step]]]:
    """What makes requests of each operation, which takes schemathesis a while: valid ones, the same for a seed."""
    import schemathesis

    found: dict[str, Callable[[], list[Step]]] = {}
    schema = schemathesis.openapi.from_dict(dict(document))
    base = base_path(document)
    by_name = {one.name: one for one in known}
    for result in schema.get_all_operations():
        try:
            operation: Any = result.ok()  # type: ignore[union-attr,unused-ignore]  # raises for a bad one
        except Exception:  # an operation that schemathesis can't read is left to our drafts
            continue
        ours = by_name.get(f"{operation.method.upper()} {base}{operation.path}")
        if ours is not None and ours.places:
            found[ours.name] = functools.partial(_drawn, ours, operation, seed)
    return found


def _drawn(ours: Operation, operation: Any, seed: int | str) -> list[Step]:
    """EXAMPLES valid requests that schemathesis makes of one of its operations; none where nothing fits its schema."""
    import hypothesis
    import schemathesis

    settings = hypothesis.settings(
        max_examples=EXAMPLES, database=None, deadline=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    cases: list[Any] = []
    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    try:
        hypothesis.seed(f"{seed}")(settings(hypothesis.given(strategy.map(cases.append))(_nothing)))()
    except hypothesis.errors.HypothesisException:
        return []
    return [_step(ours, case) for case in cases]


def _nothing(drawn: object) -> None:
    """What is tested of a request that was drawn: hypothesis is only asked to draw."""


def _step(operation: Operation, case: Any) -> Step:
    """A case of schemathesis as a step, without fields that no schema names."""
    path = operation.route
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", str(value) if "%" in str(value) else quote(text_of(value), safe=""))
    query = {name: text_of(value) for name, value in (case.query or {}).items() if ("query", name) in operation.places}
    body: Any = None
    if operation.kind != NONE:
        body = [] if operation.is_list else {}
        for place in operation.places:
            if place[0] == "body" and (value := _dug(case.body, place[1:])) is not None:
                body = put(body, place[1:], text_of(value) if operation.kind == FORM else value)
    body = json.loads(json.dumps(body, default=str).encode("utf-8", "replace"))
    return Step(method=operation.method, path=path, route=operation.route, query=query, body=body, kind=operation.kind)


def _dug(value: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def _fixed(step: Step) -> Step:
    """A step that needs no other: what was taken from answers stands in it, but days count on."""
    taken = {place: source for place, source in step.taken.items() if isinstance(source, Day)}
    return dataclasses.replace(step, taken=taken)

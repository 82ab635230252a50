"""Examples of requests: what is sent to an endpoint and what must come back, to be checked one by one.

A wanted value is compared in full, except that a type wants an instance of it, a callable a true answer, and a dict in
a dict only its own keys; `given` fills `{names}` of path and body from values that are known only at run time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tt_system import NOTHING, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request. `endpoint` is method and path as the table of endpoints has them; `path` what is really asked.

    `given` makes the values for `{names}` in `path` and `body` (a system's state is looked up or made there);
    `wanted` is the JSON or, for a str, the plain text of the answer; `then` looks at the effect.
    """

    endpoint: str
    path: str = ""
    body: Any = NOTHING
    token: str | None = None
    status: int = 200
    wanted: Any = NOTHING
    given: Callable[[System], Mapping[str, Any]] | None = None
    then: Callable[[System, Mapping[str, Any], Any], None] | None = None
    service: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        """The name of the test."""
        return f"{self.endpoint} {self.name or self.path}".strip()


def one(msg: str, data: Any = None) -> dict[str, Any]:
    """The envelope of what was done."""
    return {"status": 1, "msg": msg, "data": data}


def zero(msg: str, data: Any = None) -> dict[str, Any]:
    """The envelope of a refusal."""
    return {"status": 0, "msg": msg, "data": data}


def send(system: System, example: Example) -> tuple[Mapping[str, Any], Any]:
    """Send the request; the values it was filled with and the answer."""
    system.sent.add(example.title)
    known = example.given(system) if example.given else {}
    verb, _, path = example.endpoint.partition(" ")
    body = _filled(example.body, known)
    target = (example.path or path).format(**known)
    return known, system.ask(verb, target, body, token=example.token, service=example.service)


def check(system: System, example: Example) -> None:
    """Send the request and compare."""
    known, answer = send(system, example)
    assert answer.status_code == example.status, answer.text
    if isinstance(example.wanted, str):
        assert answer.text == example.wanted
        assert answer.headers["content-type"] == "text/plain;charset=UTF-8"
    elif example.wanted is not NOTHING:
        assert answer.headers["content-type"] == "application/json"
        assert_like(answer.json(), _filled(example.wanted, known))
    if example.then is not None:
        example.then(system, known, answer)


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """A value with every text "{name}" in it replaced; a text that is only "{name}" becomes the value itself."""
    if isinstance(value, dict):
        return {key: _filled(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if isinstance(value, str) and known:
        if value[1:-1] in known and value == f"{{{value[1:-1]}}}":
            return known[value[1:-1]]
        for name, each in known.items():
            value = value.replace(f"{{{name}}}", str(each))
    return value


def assert_like(got: Any, wanted: Any, where: str = "answer") -> None:
    """Compare as the module's text says."""
    if isinstance(wanted, type):
        assert isinstance(got, wanted), f"{where}: {got!r} is no {wanted.__name__}"
    elif callable(wanted):
        assert wanted(got), f"{where}: {got!r}"
    elif isinstance(wanted, dict):
        assert isinstance(got, dict), f"{where}: {got!r}"
        for key, each in wanted.items():
            assert key in got, f"{where}: {key} is missing in {got!r}"
            assert_like(got[key], each, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(got, list), f"{where}: {got!r}"
        assert len(got) == len(wanted), f"{where}: {got!r}"
        for index, (mine, each) in enumerate(zip(got, wanted, strict=True)):
            assert_like(mine, each, f"{where}[{index}]")
    else:
        assert got == wanted, f"{where}: {got!r} is not {wanted!r}"

"""What adopt finds out about a system: answers, each with its origin, and questions that only its team can answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pytest_anomod.define.agents import Guess
from pytest_anomod.define.services import KINDS
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import ServiceKind

STORES = frozenset({ServiceKind.CACHE, ServiceKind.DOCSTORE, ServiceKind.QUEUE})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, and where it came from."""

    value: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """One service. `port` is None where it listens on none, "" where it takes the one it is told."""

    name: str
    engine: Answer
    port: Answer | None = None
    probe_path: Answer | None = None
    calls: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Services that it calls, each with where that was seen."""
    env: Mapping[str, Answer] = dataclasses.field(default_factory=dict)
    """Variables to be given to it, with {NAME} for ports."""
    agents: Answer | None = None
    """What may be put into it for traces, coverage and faults in code: Python text; None where nothing tells."""

    @property
    def kind(self) -> ServiceKind:
        """Its kind, by its engine."""
        return KINDS.get(self.engine.value, ServiceKind.APP)


def agents_answer(guess: Guess | None) -> Answer | None:
    """A guess of a service's language and source, as Python text."""
    if guess is None:
        return None
    language, source, packages = guess.agents.language, guess.agents.source, guess.agents.packages
    if language == "java":  # its classes are told apart by their packages, wherever they lie
        text = f'Agents("java", packages=({", ".join(map(repr, packages))},))' if packages else '"java"'
        own = f"packages are {', '.join(packages)}" if packages else "packages are all that no well-known library has"
    else:
        text = f'Agents("{language}", source="{source}")' if source else f'"{language}"'
        own = f"sources are taken to be in {source or 'its working directory'}"
    return Answer(value=text, why=f"{guess.why}; its own {own}: check that")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundSystem:
    """What was found of a system. `factory` is the function that defines it, `arguments` the first ones of its call."""

    name: str
    factory: str
    arguments: tuple[Answer, ...]
    services: tuple[FoundService, ...]
    entry: Answer | None
    """None where several could be it."""
    journeys: tuple[Answer, ...]
    """Paths that users get."""
    questions: tuple[str, ...] = ()
    """What could not be found, one sentence each."""
    says_all: bool = True
    """Whether engines and calls are to be written out: a factory may find them itself, always in the same way."""

    def service(self, name: str) -> FoundService:
        """The service of that name."""
        return next(service for service in self.services if service.name == name)


def entry_among(services: tuple[FoundService, ...], chosen: str) -> Answer | None:
    """The service that users reach: the chosen one, or the only one that speaks HTTP and that no other calls."""
    if chosen:
        return said_entry(chosen, [service.name for service in services])
    called = {callee for service in services for callee in service.calls}
    roots = [one.name for one in services if one.engine.value == "http" and one.port is not None]
    free = [name for name in roots if name not in called]
    if len(free) == 1:
        return Answer(value=free[0], why="it speaks HTTP, and no other service calls it")
    return None


def said_entry(chosen: str, names: Sequence[str]) -> Answer:
    """The entry that the caller named; ScenarioError when there is no such service."""
    if chosen not in names:
        msg = f"--entry={chosen} is none of the services {', '.join(names)}"
        raise ScenarioError(msg)
    return Answer(value=chosen, why="said by --entry")

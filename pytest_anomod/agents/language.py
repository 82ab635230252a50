"""What an agent for one language has to say: its pinned artefacts, the environment it needs, how it is asked.

A language is a module of this package with a value LANGUAGE. What runs inside the service lies in inside/<name>/ and
comes with our wheel; what others made is fetched into the cache (cache.py) and is never part of it.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import Agents

NAMES = ("python", "java", "node", "go")
TRACES, COVERAGE, FAULTS = "traces", "coverage", "faults"
INSIDE = Path(__file__).with_name("inside")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A file that others made, pinned: its `sha256` as it is downloaded, or npm's "sha512-..." of it.

    `origin` is pip, npm or maven, and `place` what that calls it: a requirement, a package, group:artefact:classifier;
    javac stands for what of ours is compiled when the others are fetched.
    """

    name: str
    version: str
    sha256: str
    origin: str
    place: str
    licence: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One service, as its own process sees it: paths in its container, or on this machine for a plain command.

    `ours` is inside/<language>, `library` what was fetched, `run` a directory for sockets that it can write to; all
    are there when the process starts. `otlp_url` is where spans go, "" for nowhere; `otlp_protocol` what is understood
    there. `own` is the environment that the process has without us, that of its image too; `also` has where the
    directories of `Language.also` are.
    """

    service: str
    asked: Agents
    ours: str
    library: str
    run: str
    otlp_url: str = ""
    otlp_protocol: str = "http/protobuf"
    own: Mapping[str, str] = dataclasses.field(default_factory=dict)
    also: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The same service as it is reached from this machine, by any process of ours that knows the deployment.

    `pid` gives the process of the service as it is now, None while it is down; for a container that of its program,
    by whose /proc entry its files and its network are reached. `host` gives the address it is reached by.
    """

    service: str
    asked: Agents
    library: Path
    run: Path
    pid: Callable[[], int | None]
    host: Callable[[], str]


class Asked(Protocol):
    """The agent of a service; see `model.capability.Agent`.

    `ask` takes, and DeploymentError says what went wrong:

    "/hello" -> {"language": text, "version": text, "absent": {"coverage"|"traces"|"faults": why}}
    "/coverage/snapshot" {"reset": true, "full": whether a case begins} -> {"since_unix_nano": X, "at_unix_nano": Y,
        "files": FILES}, or "raw": JSON in place of "files" where making lines of it takes time. A window is exact
        where its X is the Y before it; both may be any JSON (a list with one entry for each process, say). FILES:
        {path below `source`: {"covered": [line], "executable": [line], "functions": {name: [first, last]}}}; the latter
        two come with the first snapshot that has the file, and of all files that are known with a full one.
    "/coverage/lines" {"snapshots": [raw]} -> [FILES], in that order: asked once, after the case
    "/code/locate" {"function": text} -> {"file", "function", "first_line", "last_line"}, file as FILES has it
    "/code/patch" {"function", "action": "raise", "exception", "message"} | {..., "action": "return", "value"} |
        {..., "action": "delay", "delay_s"} -> as locate; raising and returning happen where the function would return,
        after its work; on return of the call the change was seen to be in
    "/code/restore" {"function": text or null for all} -> names that are still changed; idempotent
    """

    def ask(self, path: str, payload: Json = None) -> Json: ...


class Language(Protocol):
    """One language; LANGUAGE of its module."""

    name: str
    gives: frozenset[str]
    """Of TRACES, COVERAGE and FAULTS what it can have at all."""
    artefacts: tuple[Artefact, ...]
    also: tuple[tuple[str, Path], ...]
    """Further directories of ours, by name, that the process needs to see; mostly ()."""

    def fetch(self, into: Path) -> None:
        """Download the artefacts, check their hashes and lay them out in a directory; FetchError says what failed."""

    def environment(self, place: Place) -> dict[str, str]:
        """Variables to be set for the process: those of its own are merged, never lost."""

    def agent(self, reach: Reach) -> Asked:
        """How a service is asked; nothing is done yet."""


class FetchError(ScenarioError):
    """An artefact can't be had; the message says which, from where, and what to do."""


def offered() -> tuple[str, ...]:
    """The languages that there are agents for."""
    return tuple(name for name in NAMES if importlib.util.find_spec(f"{__package__}.{name}") is not None)


def language(name: str) -> Language:
    """The language of that name; ScenarioError for one that there is none of."""
    if name not in offered():
        msg = f"there are no agents for language {name!r}: give one of {', '.join(offered())}"
        raise ScenarioError(msg)
    module = importlib.import_module(f"{__package__}.{name}")
    found: Language = module.LANGUAGE
    return found


def given(of: Language, place: Place) -> list[str]:
    """What a service is given, in a fixed order."""
    wanted = {TRACES: bool(place.otlp_url) and place.asked.traces, COVERAGE: place.asked.coverage, FAULTS: True}
    return [what for what, is_wanted in wanted.items() if is_wanted and what in of.gives]


def merged_path(first: str, own: Mapping[str, str], variable: str, separator: str) -> str:
    """Ours before what a variable holds already."""
    return separator.join(filter(None, (first, own.get(variable, ""))))


def otel_environment(place: Place) -> dict[str, str]:
    """What OpenTelemetry of every language is told: send spans to us, soon, under the service's own name.

    Attributes of the resource that the service has are kept; its instance is ours, so that all languages agree.
    """
    if not place.otlp_url:
        return {}
    instance = f"service.instance.id={place.service}"  # the last of equal keys counts
    return {
        "OTEL_SERVICE_NAME": place.service,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(filter(None, (place.own.get("OTEL_RESOURCE_ATTRIBUTES"), instance))),
        "OTEL_EXPORTER_OTLP_ENDPOINT": place.otlp_url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": place.otlp_protocol,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "otlp",  # for the ids of traces, which lines of output get: see sources/joined_logs.py
        "OTEL_BSP_SCHEDULE_DELAY": "250",
        "OTEL_BLRP_SCHEDULE_DELAY": "250",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",  # our own probes say that they are not to be sampled
        "OTEL_PROPAGATORS": "tracecontext,baggage",
    }

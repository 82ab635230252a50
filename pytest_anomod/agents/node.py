"""Node.js: OpenTelemetry, V8's block coverage and changes of code, by a file of ours that Node loads first."""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.agents import by_npm
from pytest_anomod.agents.language import (
    COVERAGE,
    FAULTS,
    TRACES,
    Asked,
    Place,
    Reach,
    given,
    merged_path,
    otel_environment,
)
from pytest_anomod.agents.sockets import SocketAgent

PINS = Path(__file__).with_name("pins") / "node"


class Node:
    """See `language.Language`."""

    name = "node"
    gives = frozenset({TRACES, COVERAGE, FAULTS})
    artefacts = by_npm.pins(PINS)
    also: tuple[tuple[str, Path], ...] = ()

    def fetch(self, into: Path) -> None:
        by_npm.install(PINS, into)

    def environment(self, place: Place) -> dict[str, str]:
        preload = f"--require {_quoted(f'{place.ours}/anomod.js')}"
        found = {
            "NODE_OPTIONS": merged_path(preload, place.own, "NODE_OPTIONS", " "),
            "ANOMOD_GIVE": ",".join(given(self, place)),
            "ANOMOD_LIBRARY": place.library,
            "ANOMOD_RUN": place.run,
            "ANOMOD_SOURCE": place.asked.source,
        }
        if place.asked.traces:
            found |= otel_environment(place)
        return found

    def agent(self, reach: Reach) -> Asked:
        return SocketAgent(reach.service, reach.run)


def _quoted(path: str) -> str:
    """A path as NODE_OPTIONS takes it."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if " " in path or escaped != path else path


LANGUAGE = Node()

"""Python: OpenTelemetry, coverage.py and changes of code, by a sitecustomize of ours that goes first."""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.agents.language import COVERAGE, FAULTS, TRACES, Artefact, Asked, Place, Reach
from pytest_anomod.agents.sockets import SocketAgent


class Python:
    """See `language.Language`."""

    name = "python"
    gives = frozenset({TRACES, COVERAGE, FAULTS})
    artefacts: tuple[Artefact, ...] = ()

    def fetch(self, into: Path) -> None:
        raise NotImplementedError

    def environment(self, place: Place) -> dict[str, str]:
        raise NotImplementedError

    def agent(self, reach: Reach) -> Asked:
        return SocketAgent(reach.service, reach.run)


LANGUAGE = Python()

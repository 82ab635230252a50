"""Go: spans of HTTP and Redis and the compiler's own coverage, built in by flags of `go build`; see inside/go.

GOFLAGS="$(go run inside/go/overlay.go DIRECTORY)" go build: a service that was built without has nothing of them.
"""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.agents.language import (
    COVERAGE,
    TRACES,
    Artefact,
    Asked,
    Place,
    Reach,
    given,
    otel_environment,
)
from pytest_anomod.agents.sockets import SocketAgent
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json


class Go:
    """See `language.Language`."""

    name = "go"
    gives = frozenset({TRACES, COVERAGE})
    artefacts: tuple[Artefact, ...] = ()
    also: tuple[tuple[str, Path], ...] = ()

    def fetch(self, into: Path) -> None:
        """Nothing: all of it is ours or the compiler's."""

    def environment(self, place: Place) -> dict[str, str]:
        found = {
            "ANOMOD_GIVE": ",".join(given(self, place)),
            "ANOMOD_RUN": place.run,
            "GOCOVERDIR": place.own.get("GOCOVERDIR") or place.run,  # else each start says that it is not set
        }
        if place.asked.traces:
            found |= otel_environment(place)
        return found

    def agent(self, reach: Reach) -> Asked:
        return GoAgent(reach.service, reach.run)


class GoAgent(SocketAgent):
    """Says of a service that does not answer what it may lack."""

    def ask(self, path: str, payload: Json = None) -> Json:
        try:
            return super().ask(path, payload)
        except DeploymentError as error:
            if any(self._run.glob("*.sock")):
                raise
            msg = f"{error}: was it built with the GOFLAGS of {__name__}'s overlay? See docs/agents-go.md"
            raise DeploymentError(msg) from error


LANGUAGE = Go()

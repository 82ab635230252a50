"""Python: OpenTelemetry, coverage.py and changes of code, by a sitecustomize of ours that goes first."""

from __future__ import annotations

from pathlib import Path

import pytest_anomod
from pytest_anomod.agents import by_pip
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

PINS = Path(__file__).with_name("pins") / "python.txt"
COMPILED = "coverage"
"""The only wheel that is taken for several platforms: without its tracer Python 3.11 is too slow to be counted."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64")
KIT = Path(pytest_anomod.__file__).parent / "replicas" / "kit"
"""What changes code in our replicas changes it in other services: two files of it are loaded by themselves."""


class Python:
    """See `language.Language`."""

    name = "python"
    gives = frozenset({TRACES, COVERAGE, FAULTS})
    artefacts = by_pip.pins(PINS)
    also: tuple[tuple[str, Path], ...] = (("kit", KIT),)

    def fetch(self, into: Path) -> None:
        plain = [one for one in self.artefacts if one.name != COMPILED]
        by_pip.download(plain, into, "--platform", "any", "--python-version", "311")
        coverage = [one for one in self.artefacts if one.name == COMPILED]
        for platform in ("any", *PLATFORMS):  # the files of all lie side by side: only the tracer's names differ
            tags = () if platform == "any" else ("--implementation", "cp", "--abi", "cp311")
            by_pip.download(coverage, into, "--platform", platform, "--python-version", "311", *tags)

    def environment(self, place: Place) -> dict[str, str]:
        found = {
            "PYTHONPATH": merged_path(place.ours, place.own, "PYTHONPATH", ":"),
            "ANOMOD_GIVE": ",".join(given(self, place)),
            "ANOMOD_LIBRARY": place.library,
            "ANOMOD_KIT": place.also["kit"],
            "ANOMOD_RUN": place.run,
            "ANOMOD_SOURCE": place.asked.source,
        }
        if place.asked.traces:
            # its handler would be the only one of a program without any, whose warnings would then be printed no more
            found |= otel_environment(place) | {"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}
        return found

    def agent(self, reach: Reach) -> Asked:
        return SocketAgent(reach.service, reach.run)


LANGUAGE = Python()

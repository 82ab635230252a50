"""Agents of compose services: their mounts, and their environment merged with what each image has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.model.fault import Json
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.compose import telemetry

if TYPE_CHECKING:
    from pytest_anomod.sources.otlp.receiver import OtlpReceiver

ROOT = "/anomod"
"""Where containers have our directories."""
Environments = Mapping[str, Mapping[str, str]]
Mounts = dict[str, tuple[tuple[str, str, bool], ...]]


def put_in(
    rows: Mapping[str, dict[str, Json]],
    own: Callable[[str], Mapping[str, str]],
    told: Environments,
    receiver: OtlpReceiver | None,
) -> tuple[dict[str, Mapping[str, str]], Mounts]:
    """Environments and mounts by service; `own` gives the environment of its process without ours, `told` ours."""
    environment, mounts = dict(told), {}
    otlp = ("", "") if receiver is None else (receiver.url, telemetry.protocol_of(receiver))
    for service, row in agents.are_put_in(rows).items():
        seen = agents.mounts(row, ROOT)
        before = {**own(service), **told.get(service, {})}
        agents.give_way(rows, service, before, otlp[0])
        environment[service] = {**told.get(service, {}), **agents.environment(service, row, before, seen, otlp)}
        mounts[service] = tuple((str(mount.here), mount.there, mount.writable) for mount in seen.values())
    return environment, mounts

"""Tells the agent of a service to undo a change that ends with its process anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of, need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def tell(deployment: Deployment, target: str, path: str, payload: Json = None) -> Json:
    """Ask the agent of `target`; InjectionError when it does not do it."""
    try:
        return need(deployment, Agent, target).ask(path, payload)
    except DeploymentError as error:
        msg = f"{target!r} did not do what it was told ({path}): {error}"
        raise InjectionError(msg) from error


def tell_while_it_runs(deployment: Deployment, target: str, path: str, payload: Json = None) -> None:
    """The same, unless its process is gone or another takes its place meanwhile: that one knows nothing of it."""
    while instance_of(deployment, target).state == "running":
        before = instance_of(deployment, target)
        try:
            tell(deployment, target, path, payload)
            return
        except InjectionError:
            clock.sleep(0.2)  # it may have died just now, which the deployment finds out soon
            if instance_of(deployment, target) == before:
                raise

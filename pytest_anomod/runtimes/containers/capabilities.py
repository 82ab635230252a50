"""Capabilities of containers, and what makes the object that has one for a service (None: not now)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_anomod.model import capability as can
from pytest_anomod.runtimes.containers.lifecycle import ContainerLifecycle, ContainerProcess
from pytest_anomod.runtimes.containers.network import listener_of, network_of, resolver_of
from pytest_anomod.runtimes.containers.programs import ContainerPrograms, own_group
from pytest_anomod.runtimes.containers.stores import login_of, volume_of

OF_CONTAINERS: Mapping[type, Callable[[Any, str], Any]] = {
    can.Lifecycle: ContainerLifecycle,
    can.LocalProcess: ContainerProcess,
    can.Programs: ContainerPrograms,
    can.Listener: listener_of,
    can.Resolver: resolver_of,
    can.StoreLogin: login_of,
    can.Volume: volume_of,
    can.ControlGroup: own_group,
    can.NetNamespace: network_of,
}

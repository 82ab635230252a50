"""The names of a deployment whose parts are hosts of their own: the system's resolver knows them, ports are fixed."""

from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.net import FixedNames

ANYWHERE = "0.0.0.0"
"""What a part of such a deployment listens on: its network is private, and what leads into it is on a loopback."""


class DnsNames(FixedNames):
    """Ports as laid out; whether a name can be resolved turns out when someone connects to it.

    `unknown` is a file of the service's own, a list of names that it can't resolve although others can.
    """

    def __init__(self, ports: Mapping[str, int], unknown: Path | None = None) -> None:
        super().__init__(dict(ports), unknown)

    def resolve(self, name: str) -> int:
        """Port of a peer; TransportError of kind "resolve" for a name that was never given or is held back."""
        if name not in self._fixed or self._is_unknown(name):
            raise TransportError("resolve")
        return self._fixed[name]

    def host(self, name: str) -> str:
        """The name itself."""
        return name

"""Names and sockets: where a peer listens now, and whether an idle connection is still good."""

import os
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

import orjson

from pytest_anomod.replicas.kit.errors import TransportError

HOST = "127.0.0.1"
NoNameError = socket.gaierror  # what the system's resolver says of a name it does not know

_STALE_EVENTS = select.POLLIN | getattr(select, "POLLRDHUP", 0)


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects where."""

    user: str
    password: str
    database: str = "postgres"


class Client(Protocol):
    """What connects to a peer by its name and keeps connections."""

    name: str

    @property
    def kept(self) -> int:
        """Connections that are open and wait for their next use."""

    def close(self) -> None:
        """Drop the kept connections, and those at work as soon as they are free; the next use makes new ones."""


class _JsonFile:
    """The content of a file that is replaced whole, read again only when it changed; None while there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._content: Any = None

    def read(self) -> Any:
        try:
            status = os.stat(self._path)
            # a replaced file has another inode even when two writes fall into one clock tick
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._content = orjson.loads(self._path.read_bytes())
                self._seen = seen
        except FileNotFoundError:
            self._seen = self._content = None
        return self._content


class NameTable:
    """The names of a deployment as the host wrote them: `{name: port}` in a file that is replaced whole.

    A stopped service has no entry, as a stopped container has no name. `unknown` is a file of the service's own, a
    list of names that it can't resolve although others can; mostly there is none.
    """

    def __init__(self, path: Path, unknown: Path | None = None) -> None:
        self._ports = _JsonFile(path)
        self._unknown = _JsonFile(unknown) if unknown is not None else None
        self._clients: WeakSet[Client] = WeakSet()

    def resolve(self, name: str) -> int:
        """Port of a peer on the loopback address; TransportError of kind "resolve" when the name is not known."""
        ports = self._ports.read()
        if ports is None or name not in ports or self._is_unknown(name):
            raise TransportError("resolve")
        return ports[name]

    def host(self, name: str) -> str:
        """What to connect to for a peer: an address, or a name for the system's resolver."""
        return HOST

    def add(self, client: Client) -> None:
        """Keep a weak reference to a client that connects to a name."""
        self._clients.add(client)

    def look(self, names: Iterable[str]) -> dict[str, dict[str, int | None]]:
        """What each name resolves to now ("port", None if it does not), and the connections "kept" to it."""
        kept: dict[str, int] = {}
        for client in self._clients:
            kept[client.name] = kept.get(client.name, 0) + client.kept
        return {name: {"port": self._port(name), "kept": kept.get(name, 0)} for name in names}

    def refresh(self) -> None:
        """Have nobody use a connection on to a name that does not resolve any more."""
        for client in list(self._clients):
            if self._port(client.name) is None:
                client.close()

    def _is_unknown(self, name: str) -> bool:
        return self._unknown is not None and name in (self._unknown.read() or ())

    def _port(self, name: str) -> int | None:
        try:
            return self.resolve(name)
        except TransportError:
            return None


class FixedNames(NameTable):
    """Names whose ports never change: the host's own view of its stores."""

    def __init__(self, ports: dict[str, int], unknown: Path | None = None) -> None:
        super().__init__(Path(os.devnull), unknown)
        self._fixed = ports

    def resolve(self, name: str) -> int:
        """Port of a peer; KeyError for a name the host does not know."""
        return self._fixed[name]


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file whole, so that a reader sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)


def idle_watch(descriptor: int) -> select.poll:
    """A poll object that answers whether anything happened on an idle connection (data or end of file)."""
    watch = select.poll()
    watch.register(descriptor, _STALE_EVENTS)
    return watch

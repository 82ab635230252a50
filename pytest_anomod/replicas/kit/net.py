"""Names and sockets: where a peer listens now, and whether an idle connection is still good."""

import os
import select
from dataclasses import dataclass
from pathlib import Path

import orjson

from pytest_anomod.replicas.kit.errors import TransportError

HOST = "127.0.0.1"

_STALE_EVENTS = select.POLLIN | getattr(select, "POLLRDHUP", 0)


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects where."""

    user: str
    password: str
    database: str = "postgres"


class NameTable:
    """The names of a deployment as the host wrote them: `{name: port}` in a file that is replaced whole.

    A stopped service has no entry, as a stopped container has no name. Read again only when the file changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._ports: dict[str, int] = {}

    def resolve(self, name: str) -> int:
        """Port of a peer on the loopback address; TransportError of kind "resolve" when the name is gone."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            raise TransportError("resolve") from None
        # a replaced file has another inode even when two writes fall into one clock tick
        seen = (status.st_ino, status.st_mtime_ns)
        if seen != self._seen:
            self._ports = orjson.loads(self._path.read_bytes())
            self._seen = seen
        try:
            return self._ports[name]
        except KeyError:
            raise TransportError("resolve") from None


class FixedNames(NameTable):
    """Names whose ports never change: the host's own view of its stores."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports

    def resolve(self, name: str) -> int:
        """Port of a peer; KeyError for a name the host does not know."""
        return self._ports[name]


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

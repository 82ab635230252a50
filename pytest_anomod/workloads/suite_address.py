"""Directs a suite's requests to the deployment, whatever their URL; never beyond this machine."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost", "ip6-localhost", "localhost.localdomain")

Place = tuple[str, int]


class Addresses:
    """Which host and port is which service of the system; `bases` are further URLs of services, redirected there.

    `urls` are the services' own URLs. Loopback addresses are one and the same host here.
    """

    def __init__(self, urls: Mapping[str, str], bases: Mapping[str, str]) -> None:
        self.urls = dict(urls)
        self.refused: dict[str, int] = {}
        self._places = {place_of(url): service for service, url in urls.items()}
        self._redirected = {place_of(base): service for base, service in bases.items()}

    def service(self, host: str, port: int) -> str | None:
        """The service behind a host and port, or None for anywhere else."""
        place = (one_host(host), port)
        return self._redirected.get(place) or self._places.get(place)

    def true_place(self, host: str, port: int) -> Place:
        """Where a host and port really is: the deployment's for the system, else as it says."""
        service = self.service(host, port)
        return place_of(self.urls[service]) if service is not None else (host, port)

    def is_allowed(self, host: str) -> bool:
        """Whether a host is this machine; any other is counted as refused."""
        if is_loopback(host):
            return True
        self.refused[host] = self.refused.get(host, 0) + 1
        return False

    def guard(self) -> None:
        """From now on this process finds the system behind its bases, and connects to nobody beyond this machine."""
        resolve = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host or "localhost"
            number = int(port) if str(port).isdecimal() else 0
            name, number = self.true_place(name, number) if number else (name, 0)
            if not self.is_allowed(name):
                raise refusal(name)
            return resolve(name, number or port, *arguments, **options)

        socket.getaddrinfo = getaddrinfo
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python asks here before each connect and datagram, whichever library wants it."""
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        sock, address = arguments[0], arguments[1]
        if sock.family in (socket.AF_INET, socket.AF_INET6) and address and not self.is_allowed(str(address[0])):
            raise refusal(str(address[0]))


def refusal(host: str) -> OSError:
    """What a suite gets for a host that is not this machine."""
    return OSError(errno.ENETUNREACH, f"{host} is not on this machine: a workload talks to the system and nobody else")


def place_of(url: str) -> Place:
    """Host (loopback addresses as one) and port of a URL; ValueError when it has no host, or is not http."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        msg = f"{url!r} is no URL of the form http://HOST:PORT"
        raise ValueError(msg)
    return one_host(parts.hostname), parts.port or 80


def one_host(host: str) -> str:
    """A host's name; 127.0.0.1 for every name and address of this machine."""
    return "127.0.0.1" if is_loopback(host) else host.lower()


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine, as far as can be told without asking anyone."""
    bare = host.strip("[]").partition("%")[0].lower()
    if bare in LOOPBACK_NAMES:
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)

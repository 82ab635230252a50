"""Names where parts are hosts of their own: ports are fixed, the resolver has the last word, the unknown is denied."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest

from pytest_anomod.replicas.kit.dns_names import DnsNames
from pytest_anomod.replicas.kit.errors import StoreError, TransportError
from pytest_anomod.replicas.kit.http_client import HttpPeer
from pytest_anomod.replicas.kit.name_server import denial
from pytest_anomod.replicas.kit.net import Login
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient

NOBODY = "nobody.invalid"  # RFC 2606: no resolver knows it


def test_a_peer_is_a_name_and_a_port():
    """The name goes to the system's resolver as it is."""
    names = DnsNames({"back": 20_001})
    assert (names.host("back"), names.resolve("back")) == ("back", 20_001)
    with pytest.raises(TransportError, match="resolve host"):
        names.resolve("stranger")


def test_a_name_can_be_held_back_from_one_service(tmp_path):
    """By its own file, as on plain processes."""
    unknown = tmp_path / "front.json"
    names = DnsNames({"back": 20_001}, unknown)
    unknown.write_text(json.dumps(["back"]))
    with pytest.raises(TransportError, match="resolve host"):
        names.resolve("back")
    unknown.unlink()
    assert names.resolve("back") == 20_001


def test_what_the_resolver_does_not_know_fails_as_a_name_that_is_gone(monkeypatch):
    """Each client says so in its own words and kind."""
    import socket

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    names = DnsNames({NOBODY: 20_001})

    async def kinds() -> list[str]:
        found = []
        for ask in (
            HttpPeer(names, NOBODY).request("GET", "/"),
            RedisClient(names, NOBODY).execute("PING"),
            PostgresClient(names, NOBODY, Login("app", "")).fetchval("SELECT 1"),
        ):
            with pytest.raises((TransportError, StoreError)) as caught:
                await ask
            found.append(caught.value.kind)
        return found

    assert asyncio.run(kinds()) == ["resolve"] * 3


def test_a_denial_is_an_answer_to_its_question():
    """Same id, same question, NXDOMAIN, no records (RFC 1035, 4.1)."""
    question = b"\x04back\x00" + struct.pack("!HH", 1, 1)
    query = (
        struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 1) + question + b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
    )
    answer = denial(query)
    assert struct.unpack("!HHHHHH", answer[:12]) == (0x1234, 0x8183, 1, 0, 0, 0)
    assert answer[12:] == question

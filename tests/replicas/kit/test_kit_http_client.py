"""Calls that fail: each way of failing has its own kind, and nothing that was sent is sent again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pytest_anomod.replicas.kit.errors import TRANSPORT_MESSAGES, RemoteError, ServiceException, TransportError
from pytest_anomod.replicas.kit.http import Request, Response, json_response
from pytest_anomod.replicas.kit.http_client import HttpPeer
from pytest_anomod.replicas.kit.http_server import HttpServer
from pytest_anomod.replicas.kit.metrics import Metrics
from pytest_anomod.replicas.kit.net import NameTable
from pytest_anomod.replicas.kit.rpc import RpcPeer
from pytest_anomod.replicas.kit.spans import Context
from pytest_anomod.replicas.kit.telemetry import Telemetry

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A raw server that counts what it gets, under the name "peer"."""

    def __init__(self, directory: Path, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests = 0
        self.connections = 0
        self.names = directory / "hosts.json"

    async def __aenter__(self) -> "Peer":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.names.write_text(json.dumps({"peer": self.port}))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            self.requests += 1
            answer = self.answers.pop(0)
            if answer is None:
                break
            writer.write(answer)
        writer.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def kind_of(call: Awaitable) -> str:
    """The kind a call fails with."""
    with pytest.raises(TransportError) as caught:
        await call
    assert str(caught.value) == TRANSPORT_MESSAGES[caught.value.kind]
    return caught.value.kind


def test_unknown_name_and_closed_port_are_told_apart(tmp_path: Path) -> None:
    """A name that is gone does not resolve; a port nobody listens on refuses."""

    async def run() -> None:
        async with Peer(tmp_path) as peer:
            pass
        names = NameTable(peer.names)
        assert await kind_of(HttpPeer(names, "stranger").request("GET", "/")) == "resolve"
        assert await kind_of(HttpPeer(names, "peer").request("GET", "/")) == "refused"

    asyncio.run(run())
    assert TRANSPORT_MESSAGES["resolve"] == "Could not resolve host for client socket."
    assert TRANSPORT_MESSAGES["refused"] == "connect() failed: Connection refused"


def test_name_that_comes_back_resolves_again(tmp_path: Path) -> None:
    """The table is read again when the host replaced it."""
    table = tmp_path / "hosts.json"
    table.write_text("{}")
    names = NameTable(table)
    with pytest.raises(TransportError):
        names.resolve("peer")
    (tmp_path / "new").write_text('{"peer": 7}')
    (tmp_path / "new").replace(table)
    assert names.resolve("peer") == 7


@pytest.mark.parametrize("partial", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nonly"])
def test_connection_closed_mid_call_is_not_tried_again(tmp_path: Path, partial: bytes | None) -> None:
    """A request whose bytes were sent fails as closed after exactly one attempt."""

    async def run() -> None:
        async with Peer(tmp_path, partial) as peer:
            assert await kind_of(HttpPeer(NameTable(peer.names), "peer").request("POST", "/", body=b"x")) == "closed"
            assert peer.requests == 1

    asyncio.run(run())


def test_timeout_covers_the_whole_answer(tmp_path: Path) -> None:
    """An answer that stays away, or stays half, ends as a timeout and its connection is not used again."""

    async def run() -> None:
        async with Peer(tmp_path, b"HTTP/1.1 200 OK\r\n", OK) as peer:
            client = HttpPeer(NameTable(peer.names), "peer", timeout_s=0.1)
            assert await kind_of(client.request("GET", "/")) == "timeout"
            assert (await client.request("GET", "/")).body == b"ok"
            assert peer.connections == 2

    asyncio.run(run())


def test_answer_that_is_no_http_is_a_protocol_failure(tmp_path: Path) -> None:
    """Rubbish is neither closed nor timeout."""

    async def run() -> None:
        async with Peer(tmp_path, b"rubbish\r\n\r\n") as peer:
            assert await kind_of(HttpPeer(NameTable(peer.names), "peer").request("GET", "/")) == "protocol"

    asyncio.run(run())


def test_kept_connection_is_used_again_and_replaced_when_the_peer_closed_it(tmp_path: Path) -> None:
    """Two calls share a connection; one closed while idle is replaced without a failure."""

    async def run() -> None:
        async with Peer(tmp_path, OK, OK) as peer:
            client = HttpPeer(NameTable(peer.names), "peer")
            await client.request("GET", "/")
            await client.request("GET", "/")
            assert peer.connections == 1
            # the peer has closed by now; whether our loop has seen it or not must not matter
            peer.answers = [OK]
            assert (await client.request("GET", "/")).body == b"ok"
            assert (peer.connections, peer.requests) == (2, 3)

    asyncio.run(run())


def test_cancelled_call_does_not_leave_its_answer_to_the_next(tmp_path: Path) -> None:
    """A connection whose caller gave up is not reused."""

    async def app(request: Request) -> Response:
        await asyncio.sleep(0.2 if request.path == "/slow" else 0)
        return json_response(request.path)

    async def run() -> None:
        server = HttpServer(app)
        await server.start(0)
        (tmp_path / "hosts.json").write_text(json.dumps({"peer": server.port}))
        client = HttpPeer(NameTable(tmp_path / "hosts.json"), "peer")
        slow = asyncio.create_task(client.request("GET", "/slow"))
        await asyncio.sleep(0.05)
        slow.cancel()
        assert (await client.request("GET", "/fast")).body == b'"/fast"'
        await server.close()

    asyncio.run(run())


def test_rpc_errors_by_kind(tmp_path: Path) -> None:
    """Declared failures keep their code, undeclared ones only their text, and a stranger's answer is neither."""
    bodies = {
        "/Declared": {"error": {"kind": "declared", "code": 4, "message": "no"}},
        "/Undeclared": {"error": {"kind": "undeclared", "code": 0, "message": "oops"}},
        "/Stranger": {"detail": "proxy"},
    }

    async def app(request: Request) -> Response:
        return json_response(bodies[request.path], 500)

    async def run() -> None:
        server = HttpServer(app)
        await server.start(0)
        (tmp_path / "hosts.json").write_text(json.dumps({"peer": server.port}))
        peer = RpcPeer(HttpPeer(NameTable(tmp_path / "hosts.json"), "peer"), Metrics(int))
        ctx = Context(Telemetry(tmp_path, "caller", 1), "1" * 32, "2" * 16, True)
        with pytest.raises(ServiceException) as declared:
            await peer.call(ctx, "Declared")
        assert (declared.value.code, str(declared.value)) == (4, "no")
        with pytest.raises(RemoteError, match=r"^oops$"):
            await peer.call(ctx, "Undeclared")
        assert await kind_of(peer.call(ctx, "Stranger")) == "protocol"
        await server.close()

    asyncio.run(run())

"""The HTTP server against raw bytes: what RFC 9112 asks for and what must be refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pytest_anomod.replicas.kit.http import Request, Response
from pytest_anomod.replicas.kit.http_server import MAX_BODY, MAX_HEAD, HttpServer


async def echo(request: Request) -> Response:
    """Answer with what was understood of the request; /slow takes a while, /stream comes in pieces."""
    if request.path == "/slow":
        await asyncio.sleep(0.1)
    if request.path == "/stream":
        return Response(200, pieces())
    if request.path == "/ordered":
        headers = (("Server", "demo"), ("Content-Length", ""), ("X-Last", "1"))
        return Response(200, b"ordered", headers)
    if request.path == "/chunked":
        return Response(200, b"in chunks", chunked=True)
    text = f"{request.method} {request.path}?{request.query} [{len(request.body)}:{request.body[:20].decode()}]"
    return Response(200, text.encode())


async def pieces() -> AsyncIterator[bytes]:
    """Two pieces of a body."""
    yield b"one,"
    yield b"two"


def talk(*sent: bytes, half_close: bool = True, pause_s: float = 0.0) -> bytes:
    """All bytes the server answers to the given ones, until it closes the connection."""

    async def run() -> bytes:
        server = HttpServer(echo)
        await server.start(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for part in sent:
            writer.write(part)
            await asyncio.sleep(pause_s)
        if half_close:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()
            await server.close()

    return asyncio.run(run())


def test_content_length_body_split_over_packets() -> None:
    """A body may come in any number of pieces."""
    answer = talk(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab", b"cd", b"ef", pause_s=0.01)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"POST /a?b=c [6:abcdef]")


def test_chunked_request_with_extension_and_trailer() -> None:
    """A chunked body is put together; extensions and trailers are allowed and not kept."""
    answer = talk(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    assert answer.endswith(b"[5:abcde]")


def test_absolute_form_target() -> None:
    """A full URL as request target is taken for its path and query, as wrk2 sends it."""
    assert talk(b"GET http://localhost:8080/read?user=1 HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"GET /read?user=1 [0:]")


def test_pipelined_requests_are_answered_in_order() -> None:
    """The second request waits for the first, however slow that is."""
    answer = talk(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"/slow") < answer.index(b"/fast")


def test_many_pipelined_requests_are_not_lost() -> None:
    """More requests than are queued at once all get their answer."""
    answer = talk(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(200)))
    assert [b"GET /%d?" % number in answer for number in range(200)] == [True] * 200


def test_head_has_length_and_no_body() -> None:
    """HEAD is answered as GET would be, without the body."""
    answer = talk(b"HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 15" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_expect_continue_is_answered_before_the_body_comes() -> None:
    """The interim answer is sent before the body, the final one after it."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    answer = talk(head, b"ok", pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_expect_continue_waits_for_earlier_answers() -> None:
    """The interim answer of a pipelined request may not overtake the answer before it."""
    head = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    answer = talk(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + head, b"", b"", b"ok", pause_s=0.1)
    assert answer.index(b"/slow") < answer.index(b"100 Continue") < answer.index(b"[2:ok]")


def test_http_1_0_closes_and_gets_no_chunks() -> None:
    """An old client gets a plain body and the end of the connection."""
    answer = talk(b"GET /chunked HTTP/1.0\r\n\r\n", half_close=False)
    assert b"Connection: close" in answer
    assert b"chunked\r\n" not in answer
    assert answer.endswith(b"\r\n\r\nin chunks")


def test_connection_close_is_honoured() -> None:
    """The server closes when the client asks for it, and says so."""
    answer = talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", half_close=False)
    assert b"Connection: close" in answer


def test_chunked_and_streamed_answers() -> None:
    """Both ways of sending chunks end with the last chunk."""
    assert talk(b"GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"9\r\nin chunks\r\n0\r\n\r\n")
    assert talk(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_header_order_is_the_handlers() -> None:
    """Framing headers go where the handler listed them, others at the end."""
    head = talk(b"GET /ordered HTTP/1.1\r\nHost: x\r\n\r\n").split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [b"Server", b"Content-Length", b"X-Last", b"Connection"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"this is no HTTP\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD + 1) + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * (MAX_HEAD + 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"413"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_closed(sent: bytes, status: bytes) -> None:
    """Broken and oversized requests get one error answer, then the connection ends."""
    answer = talk(sent, half_close=False)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


def test_endless_header_is_cut_off() -> None:
    """A header that never ends is refused while it still comes, not collected for ever."""
    answer = talk(b"GET / HTTP/1.1\r\nHost: x\r\nX: ", *[b"a" * 30000] * 5, half_close=False, pause_s=0.01)
    assert answer.startswith(b"HTTP/1.1 431")


def test_good_request_before_a_broken_one_is_answered() -> None:
    """What came before the trouble gets its answer first."""
    answer = talk(b"GET /good HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n", half_close=False)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answer


def test_upgrade_is_ignored() -> None:
    """A request to switch protocols is answered as plain HTTP."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answer = talk(b"GET /up HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")
    assert answer.endswith(b"GET /up? [0:]")


def test_moving_finishes_requests_under_way_and_closes_idle_connections() -> None:
    """After a move the old port refuses, an idle connection is closed, a busy one gets its answer first."""

    async def run() -> None:
        server, other = HttpServer(echo), HttpServer(echo)
        await server.start(0)
        await other.start(0)
        old, new = server.port, other.port
        await other.close()
        _idle_reader, idle_writer = idle = await asyncio.open_connection("127.0.0.1", old)
        reader, writer = await asyncio.open_connection("127.0.0.1", old)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.03)
        await server.move(new)
        assert await asyncio.wait_for(idle[0].read(), 20) == b""
        assert b"Connection: close" in await asyncio.wait_for(reader.read(), 20)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", old)
        _, moved = await asyncio.open_connection("127.0.0.1", new)
        for each in (writer, idle_writer, moved):
            each.close()
        await server.close()

    asyncio.run(run())

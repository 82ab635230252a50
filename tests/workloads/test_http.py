"""The load generator's own HTTP client: whole answers in all their framings, kept connections, failures by kind."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from pytest_anomod.workloads._http import FailedError, Pool, headers_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"3;x=y\r\nhel\r\n4\r\n\r\n\r\n\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n"
)


class Server:
    """Answers the requests of all connections in turn; an answer is a list of pieces, None closes, "hang" waits."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(next((line[15:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0))
                self.requests.append(head + await reader.readexactly(length))
                for piece in self.answers.pop(0):
                    if piece is None:
                        return
                    if piece == "hang":
                        await asyncio.sleep(30)
                    writer.write(piece)
                    await asyncio.sleep(0)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def talk(server, *requests, timeout_s=5.0, between_s=0.0):
    """Send requests (method, target, headers, body) one after the other; the answers, or the kinds of failure."""

    async def main():
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        pool = Pool(timeout_s)
        found = []
        for method, target, headers, body in requests:
            url = f"http://127.0.0.1:{port}{target}"
            try:
                found.append(await pool.request(method, url, headers_for(method, url, headers, body), body))
            except FailedError as error:
                found.append(error.kind)
            await asyncio.sleep(between_s)
        pool.close()
        listening.close()
        return found

    return asyncio.run(main())


GET = ("GET", "/a?b=%20c#d", {}, b"")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"hello"),
        (CHUNKED, b"hel\r\n\r\nlo"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)
@pytest.mark.parametrize("in_pieces", [False, True])
def test_an_answer_is_whole_in_one_piece_and_in_many_and_the_connection_is_kept(answer, body, in_pieces):
    pieces = [answer[place : place + 1] for place in range(len(answer))] if in_pieces else [answer]
    server = Server(pieces, [OK])
    first, second = talk(server, GET, GET)
    assert (first.body, second.body) == (body, b"hello")
    assert server.connections == 1


def test_an_answer_without_a_length_ends_with_its_connection():
    server = Server([b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", None], [OK])
    assert [answer.body for answer in talk(server, GET, GET)] == [b"hello", b"hello"]
    assert server.connections == 2


def test_trailers_and_the_headers_of_an_interim_answer_are_not_the_answers():
    server = Server([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED], [b"HTTP/1.1 100 Continue\r\n\r\n", OK])
    first, second = talk(server, GET, ("POST", "/", {"Expect": "100-continue"}, b"x"))
    assert (first.status, first.headers) == (200, [("Transfer-Encoding", "chunked")])
    assert (second.status, second.headers, second.body) == (200, [("Content-Length", "5")], b"hello")
    assert server.connections == 1


@pytest.mark.parametrize("code", [b"200 OK", b"304 Not Modified"])
def test_the_answer_to_head_has_no_body_whatever_length_it_tells(code):
    told = b"HTTP/1.1 " + code + b"\r\nContent-Length: 5\r\n\r\n"
    server = Server([told[:20], told[20:]], [OK])
    head, answer = talk(server, ("HEAD", "/", {}, b""), GET)
    assert (head.status, head.headers, head.body) == (int(code[:3]), [("Content-Length", "5")], b"")
    assert (answer.body, server.connections) == (b"hello", 1)


@pytest.mark.parametrize("more", [b"hello", OK, b"garbage"])
def test_what_follows_an_answer_is_not_taken_for_the_next_one(more):
    server = Server([OK[:-5] + more], [OK + more], [OK])
    head, first, second = talk(server, ("HEAD", "/", {}, b""), GET, GET)
    assert [head.body, first.body, second.body] == [b"", b"hello", b"hello"]
    assert server.connections == 3


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: Close", b"HTTP/1.0 200 OK"])
def test_a_connection_that_shall_not_be_kept_is_not(head):
    server = Server([head + b"\r\nContent-Length: 1\r\n\r\nx"], [OK])
    talk(server, GET, GET)
    assert server.connections == 2


def test_a_connection_that_the_server_closed_or_spoiled_is_not_used_again():
    server = Server([OK, None], [OK + b"more"], [OK])
    assert [answer.body for answer in talk(server, GET, GET, GET, between_s=0.02)] == [b"hello"] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([None], "disconnect"),
        ([OK[:-1], None], "disconnect"),
        ([CHUNKED[:-9], None], "disconnect"),
        ([b"SSH-2.0-x\r\n\r\n"], "protocol"),
        ([b"\x00\xff garbage"], "protocol"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"], "protocol"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", None], "disconnect"),
        ([b"HTTP/1.1 200 OK\r\nA: b", None], "disconnect"),
        ([b"HTTP/1.1 x OK\r\n\r\n"], "protocol"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"], "protocol"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n"], "protocol"),
        ([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"], "protocol"),
    ],
)
def test_half_an_answer_is_none_and_the_next_request_gets_a_connection_of_its_own(pieces, kind):
    server = Server(pieces, [OK])
    failed, answer = talk(server, GET, GET)
    assert failed == kind
    assert answer.body == b"hello"


def test_the_timeout_is_for_the_whole_answer_and_late_bytes_are_nobodys():
    server = Server([OK[:-1], "hang"], [OK])
    failed, answer = talk(server, GET, GET, timeout_s=0.2)
    assert (failed, answer.body) == ("timeout", b"hello")
    assert server.connections == 2


def test_a_port_where_nobody_listens_is_connect():
    async def main():
        await Pool(1.0).request("GET", "http://127.0.0.1:9/", {}, b"")

    with pytest.raises(FailedError) as failed:
        asyncio.run(main())
    assert failed.value.kind == "connect"


def test_what_is_sent_is_what_was_asked_for_with_all_that_http_needs():
    server = Server([OK], [OK], [OK])
    headers = {"User-Agent": "u", "accept": "text/html"}
    talk(server, GET, ("POST", "", headers, "ü".encode()), ("POST", "/x", {}, b""))
    port = server.requests[0].split(b"\r\n")[1].rpartition(b":")[2]
    host = b"Host: 127.0.0.1:" + port
    own = [b"Accept: */*", b"Accept-Encoding: gzip, deflate"]
    assert server.requests[0].split(b"\r\n") == [b"GET /a?b=%20c HTTP/1.1", host, *own, b"", b""]
    assert server.requests[1].split(b"\r\n") == [
        *(b"POST / HTTP/1.1", host, b"User-Agent: u", b"accept: text/html", own[1], b"Content-Length: 2", b""),
        "ü".encode(),
    ]
    assert server.requests[2].split(b"\r\n")[4] == b"Content-Length: 0"


def test_the_host_has_no_port_where_it_is_the_usual_one():
    for url, host in {"http://[::1]:80/": "[::1]", "https://a.b/c": "a.b", "http://a:443": "a:443"}.items():
        assert headers_for("GET", url, {}, b"")["Host"] == host


def test_a_header_that_would_be_two_is_not_sent():
    server = Server([OK])
    assert talk(server, ("GET", "/", {"A": "b\r\nC: d"}, b""), ("GET", "/a b", {}, b"")) == ["protocol", "protocol"]
    assert server.requests == []


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
def test_a_compressed_body_is_told_as_it_was(coding):
    squeeze = {"gzip": gzip.compress, "deflate": zlib.compress, "raw deflate": lambda text: zlib.compress(text)[2:-4]}
    body = squeeze[coding](b"hello" * 50)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding.split()[-1]}\r\nContent-Length: {len(body)}\r\n\r\n"
    (answer,) = talk(Server([head.encode() + body]), GET)
    assert answer.body == b"hello" * 50
    assert ("Content-Encoding", coding.split()[-1]) in answer.headers

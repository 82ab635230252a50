"""Pages come over plain sockets: whole or in pieces, by length, in chunks or until the end, and never half."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pytest_anomod.sources._scrape import Page, Scraper

TEXT = b"a_total 1\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na_to\r\n6;x=y\r\ntal 1\n\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n" + TEXT
UNTIL_END = b"HTTP/1.0 200 OK\r\n\r\n" + TEXT


class Server:
    """Answers each request with the pieces of `answers`, in turn; None closes the connection."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/metrics?all=1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while self.answers:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._speak(connection)

    def _speak(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self.answers and (request := connection.recv(4096)):
            self.requests.append(request)
            for piece in self.answers.pop(0):
                if piece is None:
                    return
                connection.sendall(piece)

    def close(self):
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def scraped():
    """Scrape a server of these answers some times, and return the pages and the server."""
    with contextlib.ExitStack() as stack:

        def scraped(*answers, times=1, timeout_s=2.0):
            server = Server(*answers)
            stack.callback(server.close)
            scraper = Scraper()
            stack.callback(scraper.close)
            return [scraper.scrape({"a": server.url}, timeout_s)["a"] for _ in range(times)], server

        yield scraped


@pytest.mark.parametrize("answer", [SIZED, CHUNKED], ids=["sized", "chunked"])
def test_a_page_in_pieces_is_whole_and_the_connection_is_kept(scraped, answer):
    pieces = [answer[place : place + 1] for place in range(len(answer))]
    pages, server = scraped(pieces, [answer], times=2)
    assert pages == [Page(text=TEXT)] * 2
    assert server.connections == 1
    assert server.requests[0].startswith(b"GET /metrics?all=1 HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_page_that_ends_with_its_connection_is_whole(scraped):
    pages, server = scraped([UNTIL_END, None], [UNTIL_END, None], times=2)
    assert pages == [Page(text=TEXT)] * 2
    assert server.connections == 2


def test_a_connection_that_the_service_closed_is_made_anew(scraped):
    pages, server = scraped([SIZED, None], [SIZED], times=2)
    assert pages == [Page(text=TEXT)] * 2
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [SIZED[:-1], CHUNKED[:-7], b"HTTP/1.1 200", b"SSH-2.0-x\r\n\r\n", CHUNKED.replace(b"6;", b"-6;"), b""],
)
def test_half_an_answer_or_none_of_http_is_no_page(scraped, answer):
    (page,), _ = scraped([answer, None])
    assert page == Page(reason="disconnect")


def test_other_answers_give_their_status(scraped):
    (page,), _ = scraped([b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"])
    assert page == Page(reason="status 503")

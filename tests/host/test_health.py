"""Those are well whose first bytes are a good answer of their kind; all are asked at once."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pytest_anomod.host import health


@pytest.fixture
def answering():
    """Start a server that gives one answer (None: none) to who has asked; its address, and what it was asked."""
    with contextlib.ExitStack() as stack:

        def start(answer):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            asked = []

            def run():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    stack.callback(connection.close)
                    asked.append(connection.recv(1024))
                    if answer is not None:
                        connection.sendall(answer)
                    if answer == b"":
                        connection.close()

            threading.Thread(target=run, daemon=True).start()
            return listener.getsockname(), asked

        yield start


def test_those_are_well_that_answer_as_their_kind_does(answering):
    answers = {
        ("json", "fine"): b"HTTP/1.1 100 Continue\r\n\r\n",
        ("json", "no such path"): b"HTTP/1.1 404 \r\n",
        ("json", "sick"): b"HTTP/1.1 503 No\r\n",
        ("json", "other"): b"+PONG\r\n",
        ("json", "closed"): b"",
        ("redis", "store"): b"+PONG\r\n",
        ("redis", "with a password"): b"-NOAUTH\r\n",
        ("redis", "other"): b"HTTP/1.1 400\r\n",
        ("postgres", "plain"): b"N",
        ("postgres", "with TLS"): b"S",
        ("postgres", "other"): b"E",
    }
    servers = {name: answering(answer) for name, answer in answers.items()}
    asked = {" ".join(name): (name[0], address) for name, (address, _) in servers.items()}
    assert health.who_is_well(asked, 10.0) == {
        "json fine", "json no such path", "redis store", "redis with a password", "postgres plain", "postgres with TLS",
    }  # fmt: skip
    assert servers["json", "fine"][1][0].startswith(b"POST / HTTP/1.1\r\n")
    assert servers["redis", "store"][1] == [b"*1\r\n$4\r\nPING\r\n"]


def test_who_says_nothing_or_is_not_there_is_not_well_and_holds_up_nobody(answering):
    fine, _ = answering(b"HTTP/1.1 100 Continue\r\n\r\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()
    asked = {f"silent {number}": ("json", answering(None)[0]) for number in range(3)}
    asked |= {"nobody": ("json", nobody), "fine": ("json", fine)}
    assert health.who_is_well(asked, 0.2) == {"fine"}
    assert not health.is_well("json", nobody, 5.0)

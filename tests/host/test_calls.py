"""A call gives the JSON of a whole answer, or an error that says who did not answer, and why."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from pytest_anomod.host.calls import call_json
from pytest_anomod.model.errors import DeploymentError

WHOLE = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a": 10}'


@pytest.fixture
def server():
    """Serve each given answer (None: say nothing) to one connection; the URL, and the requests that came."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests, threads, done = [], [], threading.Event()

    def serve(*answers):
        def run():
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    requests.append(connection.recv(65_536))
                    if answer is None:
                        done.wait(10)
                    else:
                        connection.sendall(answer)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/a/b?c=1", requests

    yield serve
    done.set()
    for thread in threads:
        thread.join(5)
    listener.close()


def test_what_is_sent_is_a_request_with_its_json_and_token(server):
    url, requests = server(WHOLE, WHOLE)
    assert call_json(url, who="it", payload={"x": "é"}, token="t0", timeout_s=5) == {"a": 10}
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a/b?c=1 HTTP/1.1"
    assert {"Authorization: Bearer t0", "Connection: close", f"Content-Length: {len(body)}"} <= {*lines}
    assert f"Host: {url.split('/')[2]}" in lines
    assert json.loads(body) == {"x": "é"}
    assert call_json(url, who="it", verb="GET", timeout_s=5) == {"a": 10}
    assert requests[1].startswith(b"GET /a/b?c=1 HTTP/1.1\r\n")
    assert b"Content-" not in requests[1]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n[1]", [1]),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2\r\n1]\r\n0\r\n\r\n", [1]),
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 \r\n\r\n" + WHOLE, {"a": 10}),
    ],
    ids=["until the end", "chunked", "without body", "after interim ones"],
)
def test_an_answer_of_any_form_is_read(server, answer, value):
    url, _ = server(answer)
    assert call_json(url, who="it", payload={}, timeout_s=5) == value


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (WHOLE[:-1], "it can't be reached at POST http.*closed in the middle of the answer"),
        (b"", "it can't be reached at .*closed before the answer's head was there"),
        (b"SSH-2.0-x\r\n\r\n", "it can't be reached at "),
        (b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nwhy", "it answered POST http.* with 500: why"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nwhy", "it answered .* with something that is no JSON: b'why'"),
    ],
    ids=["cut off", "nothing", "no HTTP", "an error", "no JSON"],
)
def test_any_other_answer_is_an_error_that_says_so(server, answer, said):
    url, _ = server(answer)
    with pytest.raises(DeploymentError, match=said):
        call_json(url, who="it", payload={}, timeout_s=5)


def test_silence_and_nobody_are_errors(server):
    url, _ = server(None)
    with pytest.raises(DeploymentError, match=r"no answer in time \(limit 0.05 s\)"):
        call_json(url, who="it", timeout_s=0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DeploymentError, match="refused"):
        call_json(nobody, who="it", timeout_s=5)
    with pytest.raises(DeploymentError, match="blanks"):
        call_json(nobody + "/a b", who="it", timeout_s=5)

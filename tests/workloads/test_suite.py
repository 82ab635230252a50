"""A test suite as workload: what it sends is recorded and traced, and it plays on."""

from __future__ import annotations

import socket
from collections import Counter

from suite_plays import BASE, ONE, play_once, records

from pytest_anomod.model import clock
from pytest_anomod.model.redact import REDACTED
from pytest_anomod.workloads import suite

CLIENTS = f"""
    import asyncio, http.client, unittest, urllib.request
    import httpx, requests, urllib3
    base_url = "{BASE}"

    def test_requests():
        assert requests.post(base_url + "/requests", json={{"password": "pw-1"}}).json()["text"] == "hello"

    def test_session():
        with requests.Session() as session:
            for n in range(2):
                assert session.get(base_url + f"/session/{{n}}").content

    def test_urllib3():
        assert urllib3.PoolManager().request("PUT", base_url + "/urllib3", body=b"raw").status == 200

    def test_http_client():
        connection = http.client.HTTPConnection("127.0.0.1", 8080)
        for _ in range(2):
            connection.request("GET", "/http.client")
            assert b"hello" in connection.getresponse().read()

    def test_urllib():
        with urllib.request.urlopen(base_url + "/urllib?q=1", data=b"a=b") as answer:
            assert b"hello" in answer.read()

    def test_httpx():
        assert httpx.post(base_url + "/httpx", json={{"a": 1}}).json()["text"] == "hello"

    def test_async_httpx():
        async def get():
            async with httpx.AsyncClient() as client:
                return await client.get("http://127.0.0.1:8080/httpx/later")
        assert asyncio.run(get()).json()["text"] == "hello"
"""


def test_every_client_library_is_redirected_recorded_and_traced(entry, begin):
    rows, report = play_once(begin, CLIENTS)
    assert report["outcomes"] == {"passed": 7}, report["failures"]
    sent = Counter((row["journey"], row["method"], row["route"]) for row in rows)
    assert sent == {
        ("test_requests", "POST", "/requests"): 1,
        ("test_session", "GET", "/session/{id}"): 2,
        ("test_urllib3", "PUT", "/urllib3"): 1,
        ("test_http_client", "GET", "/http.client"): 2,
        ("test_urllib", "POST", "/urllib"): 1,
        ("test_httpx", "POST", "/httpx"): 1,
        ("test_async_httpx", "GET", "/httpx/later"): 1,
    }
    assert [row["trace_id"] for row in rows] == [headers["traceparent"][3:35] for _, _, headers, _ in entry.requests]
    assert len({row["trace_id"] for row in rows}) == len(rows)
    for row, (method, path, _, body) in zip(rows, entry.requests, strict=True):
        assert row["url"] == entry.url + path
        assert (row["method"], row["status_code"], row["error_kind"]) == (method, 200, "")
        assert row["request_headers"]["traceparent"] == f"00-{row['trace_id']}-{row['span_id']}-01"
        assert row["response_bytes"] == len(b'{"token": "s3cr3t", "text": "hello"}')
        assert REDACTED in row["response_body"]
        assert body.decode() == row["request_body"] or REDACTED in row["request_body"]
    assert [row["request_body"] for row in rows if row["route"] == "/requests"] == ['{"password":"[redacted]"}']
    assert [row["step"] for row in rows if row["journey"] == "test_session"] == [1, 2]


def test_a_record_has_the_fields_of_the_open_loop_s(begin):
    from pytest_anomod.workloads.record import empty_record

    rows, _ = play_once(begin, ONE)
    assert set(rows[0]) == {*empty_record("", 0, 0, ""), "usual_status"}
    assert rows[0]["delay_ns"] == 0
    assert rows[0]["duration_ns"] > 0
    assert rows[0]["service_name"] == "nginx-thrift"


def test_answers_in_chunks_arrive_whole_in_the_test(begin, tmp_path):
    with chunked_server() as url:
        rows, report = play_once(
            begin,
            """
            import os, http.client, requests
            URL = os.environ["ANOMOD_BASE_URL"]

            def test_requests():
                assert requests.get(URL + "/").text == "one two"
                assert requests.head(URL + "/").text == ""

            def test_http_client():
                connection = http.client.HTTPConnection(URL.removeprefix("http://"))
                connection.request("GET", "/")
                assert connection.getresponse().read() == b"one two"
            """,
            entry_url=url,
            urls={"nginx-thrift": url},
        )
    assert report["outcomes"] == {"passed": 2}, report["failures"]
    bodies = {
        name: [row["response_body"] for row in rows if row["journey"] == name] for name in report["outcomes_by_test"]
    }
    assert bodies == {"test_requests": ["one two", ""], "test_http_client": ["one two"]}


def chunked_server():
    """Answers everything in two chunks, and HEAD without a body."""
    import contextlib
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            return None

    @contextlib.contextmanager
    def serving():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    return serving()


def test_it_plays_round_after_round_with_fresh_fixtures(entry, begin):
    handle = begin(
        f"""
        import unittest, requests, pytest
        BASE = "{BASE}"

        class T(unittest.TestCase):
            base_url = BASE
            @classmethod
            def setUpClass(cls):
                requests.get(cls.base_url + "/class")
            def setUp(self):
                self.n = 1
            def test_a(self):
                assert self.n == 1
                self.n = 2
                requests.get(self.base_url + "/a")

        @pytest.fixture(scope="session")
        def session_wide():
            requests.get(BASE + "/session")

        @pytest.mark.parametrize("n", [1, 2])
        def test_b(session_wide, n):
            requests.get(BASE + f"/b/{{n}}")
        """
    )
    clock.wait_until(lambda: suite.summary(handle["records"])["rounds"] >= 3, timeout_s=30, what="three rounds")
    report = suite.stop(handle)
    assert report["end_reason"] == "stopped"
    rows = records(handle)
    rounds = [[row["url"].removeprefix(entry.url) for row in rows[first : first + 5]] for first in (0, 5, 10)]
    for sent in rounds:
        assert sorted(sent) == ["/a", "/b/1", "/b/2", "/class", "/session"]
        assert sent.index("/class") == sent.index("/a") - 1
        assert sent.index("/session") == min(sent.index("/b/1"), sent.index("/b/2")) - 1
    journeys = {row["url"].removeprefix(entry.url): (row["journey"], row["step"]) for row in rows}
    outside = ("outside-of-tests", 1)
    assert journeys == {
        "/class": outside, "/a": ("test_a", 1), "/session": outside, "/b/1": ("test_b[1]", 1), "/b/2": ("test_b[2]", 1),
    }  # fmt: skip
    assert [row["journey_id"] for row in rows[:5] if row["journey_id"] >= 0] == [0, 1, 2]
    assert report["outcomes_by_test"].keys() == {"test_a", "test_b[1]", "test_b[2]"}
    assert report["outcomes"].get("failed", 0) == 0, report["failures"]


def test_each_round_has_an_order_of_its_own_that_the_seed_gives(entry, begin):
    text = f"""
        import requests, pytest
        BASE = "{BASE}"

        @pytest.mark.parametrize("n", range(8))
        def test_n(n):
            requests.get(BASE + "/", params={{"n": n}})
    """

    def rounds(seed: int) -> list[list[str]]:
        handle = begin(text, seed=seed, rate_rps=500.0)
        clock.wait_until(lambda: suite.summary(handle["records"])["rounds"] >= 2, timeout_s=30, what="two rounds")
        suite.stop(handle)
        played = [row["journey"] for row in records(handle)]
        return [played[:8], played[8:16]]

    first, again, other = rounds(1), rounds(1), rounds(2)
    assert first == again
    assert len({*map(tuple, first + other)}) == 4
    assert all(sorted(played) == [f"test_n[{n}]" for n in range(8)] for played in first + other)


def test_tests_begin_no_faster_than_the_rate(begin):
    handle = begin(ONE, rate_rps=20.0)
    clock.wait_until(lambda: suite.summary(handle["records"])["arrivals"] >= 10, timeout_s=30, what="ten tests")
    report = suite.stop(handle)
    # two begin at least half of 1/rate apart
    assert report["arrivals"] <= 2 * 20 * (report["elapsed_s"] + 0.1) + 1


def test_a_failing_test_is_counted_and_told_without_secrets(begin):
    rows, report = play_once(
        begin,
        f"""
        import requests, pytest
        BASE_URL = "{BASE}"

        def test_fails():
            assert requests.get(BASE_URL + "/").text == "password=hunter22"

        @pytest.mark.skip
        def test_skipped(): ...

        def test_error(missing_fixture): ...
        """,
    )
    assert len(rows) == 1
    assert report["outcomes"] == {"failed": 2, "skipped": 1}
    assert report["outcomes_by_test"]["test_fails"] == {"failed": 1}
    failures = str(report["failures"])
    assert "missing_fixture" in failures
    assert "hunter22" not in failures


def test_names_that_would_give_the_label_away_are_only_numbers(begin):
    rows, _ = play_once(
        begin,
        f"""
        import requests
        BASE_URL = "{BASE}"

        class TestA:
            def test_0(self):
                requests.get(BASE_URL + "/")
            def test_injected(self):
                requests.get(BASE_URL + "/")

        class EvoMaster_faults_Test:
            pass

        class TestFaults:
            def test_0(self):
                requests.get(BASE_URL + "/")
        """,
    )
    assert sorted(row["journey"] for row in rows) == ["TestA.test_0", "test-2", "test-3"]


def test_the_status_that_a_request_got_last_stands_in_its_record(entry, begin):
    handle = begin(ONE)
    clock.wait_until(lambda: suite.summary(handle["records"])["requests"] >= 2, timeout_s=30, what="two requests")
    entry.mode = "error"
    clock.wait_until(lambda: records(handle)[-1]["status_code"] == 500, timeout_s=30, what="an error")
    suite.stop(handle)
    first = next(row for row in records(handle) if row["status_code"] == 500)
    assert first["usual_status"] == 200


def test_the_system_and_nobody_else(entry, begin):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        rows, report = play_once(
            begin,
            f"""
            import socket, requests, pytest
            BASE_URL = "{BASE}"

            def test_system():
                requests.get(BASE_URL + "/")

            def test_name_elsewhere():
                with pytest.raises(requests.ConnectionError):
                    requests.get("http://example.com/")

            def test_address_elsewhere():
                with pytest.raises(OSError, match="not on this machine"):
                    socket.create_connection(("192.0.2.1", 80), timeout=1)

            def test_other_port_of_this_machine():
                with pytest.raises(requests.Timeout):
                    requests.get("http://127.0.0.1:{port}/", timeout=0.3)
            """,
        )
    assert report["outcomes"] == {"passed": 4}, report["failures"]
    assert len(rows) == 1
    assert report["refused"].keys() == {"example.com", "192.0.2.1"}
    assert report["elsewhere"] == 1 + 1  # the name elsewhere did not get as far as that, but was tried

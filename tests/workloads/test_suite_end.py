"""A test suite as workload when things go wrong: what is recorded then, and that it always ends in time."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap

import psutil
import pytest
from suite_plays import BASE, ONE, play_once

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.workloads import suite


@pytest.mark.parametrize(("mode", "kind"), [("hang", "timeout"), ("reset", "disconnect")])
def test_what_users_do_not_get_is_recorded_by_its_kind(entry, begin, mode, kind):
    entry.mode = mode
    rows, report = play_once(begin, ONE, timeout_s=0.5)
    assert [(row["status_code"], row["error_kind"]) for row in rows] == [(0, kind)]
    assert report["outcomes"] == {"failed": 1}


def test_nobody_listens(begin, entry):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    rows, _ = play_once(begin, ONE, entry_url=url, urls={})
    assert rows[0]["error_kind"] == "connect"


def test_a_suite_that_waits_for_an_answer_ends_within_its_timeout(entry, begin):
    handle = begin(ONE.replace('get(BASE_URL + "/one")', 'get(BASE_URL + "/one", timeout=600)'), timeout_s=1.0)
    entry.mode = "hang"
    entry.wait_for(len(entry.requests) + 1)
    report = suite.stop(handle)
    assert report["state"] == "ended"
    assert report["end_reason"] == "stopped"


def test_a_suite_that_sleeps_and_catches_everything_ends_at_once(entry, begin):
    handle = begin(
        f"""
        import time, requests
        BASE_URL = "{BASE}"

        def test_stubborn():
            requests.get(BASE_URL + "/")
            try:
                time.sleep(300)
            except Exception:
                time.sleep(300)
        """,
        timeout_s=20.0,
    )
    report = suite.stop({**handle, "timeout_s": 17})
    assert report["state"] == "ended"
    assert report["cancelled"] == 0


def test_it_ends_by_itself_at_the_deadline(begin):
    handle = begin(ONE, deadline_s=0.6)
    clock.wait_until(lambda: not suite.is_running(handle), timeout_s=30, what="the end")
    assert suite.stop(handle)["end_reason"] == "deadline"


def test_it_ends_when_its_owner_is_killed(entry, begin, tmp_path):
    (tmp_path / "suite_x.py").write_text(textwrap.dedent(ONE))
    script = textwrap.dedent(
        """
        import json, sys, time
        from pytest_anomod.workloads import suite
        print(json.dumps(suite.start(json.loads(sys.argv[1]), sys.argv[2])), flush=True)
        time.sleep(60)
        """
    )
    spec = {
        "system": "social_network", "suite": str(tmp_path / "suite_x.py"), "bases": {BASE: ""}, "rate_rps": 50,
        "timeout_s": 2, "seed": 1, "deadline_s": 60, "entry_url": entry.url,
    }  # fmt: skip
    owner = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(spec), str(tmp_path / "r.jsonl")], stdout=subprocess.PIPE
    )
    handle = json.loads(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    clock.wait_until(lambda: not psutil.pid_exists(handle["pid"]), timeout_s=15, what="the suite to end")
    assert suite.summary(handle["records"])["end_reason"] == "owner died"


def test_a_suite_that_sends_nothing_is_an_error_that_says_what_it_did(begin):
    text = """
        import requests

        def test_elsewhere():
            assert requests.get("http://www.example.org/").status_code == 200
    """
    with pytest.raises(CaptureError) as caught:
        begin(text)
    for part in (
        "sent no request to http://127.0.0.1",
        "1 failed",
        "www.example.org was refused",
        "--anomod-suite-base",
    ):
        assert part in str(caught.value)


def test_a_suite_that_breaks_after_it_was_looked_at_is_an_error_with_its_words(begin):
    with pytest.raises(CaptureError, match=r"can't be collected: .*No module named 'not_there_at_all'"):
        begin("import not_there_at_all\ndef test_it(): ...")

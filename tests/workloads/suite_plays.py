"""What tests of suites share: a suite of one test, what it recorded, and playing one to its end."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_anomod.model import clock
from pytest_anomod.workloads import suite

BASE = "http://localhost:8080"

ONE = f"""
    import requests
    BASE_URL = "{BASE}"

    def test_one():
        assert requests.get(BASE_URL + "/one").status_code == 200
"""


def records(handle) -> list[dict]:
    lines = Path(handle["records"]).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def play_once(begin, text: str, **changes) -> tuple[list[dict], dict]:
    handle = begin(text, once=True, **changes)
    clock.wait_until(lambda: not suite.is_running(handle), timeout_s=30, what="the suite to be over")
    return records(handle), suite.stop(handle)

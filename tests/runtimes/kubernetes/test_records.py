"""Events of pods and restarts of containers, as rows of the logs of their services."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.model import clock
from pytest_anomod.runtimes.kubernetes.records import Records, sources
from pytest_anomod.sources.text_logs import entries


@pytest.fixture
def records(tmp_path):
    """Of one service with one pod."""
    (tmp_path / "logs").mkdir()
    made = Records(tmp_path, ["cart"])
    made.know("cart-a", "cart")
    return made


def event(uid="e", *, pod="cart-a", count=1, at="", kind="Warning", reason="Unhealthy"):
    return {
        "metadata": {"uid": uid}, "involvedObject": {"name": pod}, "count": count, "type": kind, "reason": reason,
        "message": "Readiness probe failed", "lastTimestamp": at or clock.ns_to_iso(clock.now_ns())[:19] + "Z",
    }  # fmt: skip


def rows(tmp_path):
    (source,) = sources(tmp_path, ["cart"])
    return list(entries(source.path.read_bytes().splitlines()))


def test_an_event_is_a_record_with_the_time_at_which_it_was_heard_of(records, tmp_path):
    """Its own is cut to whole seconds, which could be in the window before."""
    before = clock.now_ns()
    records.event(event())
    (row,) = rows(tmp_path)
    assert (row.severity[1], row.body) == ("WARN", "Unhealthy: Readiness probe failed")
    assert before <= row.time_unix_nano <= clock.now_ns()
    assert row.attributes["k8s.pod.name"] == "cart-a"


def test_one_that_nobody_heard_has_its_own_time(records, tmp_path):
    """The way to the API server was broken."""
    records.event(event(at="2026-01-01T00:00:00Z", kind="Normal"))
    (row,) = rows(tmp_path)
    assert (row.severity[1], row.time_unix_nano) == ("INFO", clock.iso_to_ns("2026-01-01T00:00:00Z"))


def test_an_event_is_told_as_often_as_it_happened_and_no_oftener(records, tmp_path):
    """What was before, what was told, what is of others' pods, and what tells of a fault by its name is left out."""
    records.event(event("old"), old=True)
    for one in (
        event("old"),
        event("e"),
        event("e"),
        event("e", count=2),
        event("other", pod="web-a"),
        event("r", reason="ResizeCompleted"),
    ):
        records.event(one)
    assert len(rows(tmp_path)) == 2


def test_an_event_that_comes_before_its_pod_is_told_once_the_pod_is_seen(records, tmp_path):
    """Pods and events come by two ways; which is first is chance."""
    records.event(event("new", pod="cart-b", reason="Started", kind="Normal"))
    assert rows(tmp_path) == []
    records.know("cart-b", "cart")
    records.know("cart-b", "cart")
    records.event(event("new", pod="cart-b", reason="Started", kind="Normal"))
    (row,) = rows(tmp_path)
    assert row.attributes["k8s.pod.name"] == "cart-b"


def test_a_container_that_was_started_again_is_a_record(records, tmp_path):
    """With how it ended."""
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    records.restarted("cart", "cart-a", {"name": "main", "lastState": ended})
    assert json.loads((tmp_path / "logs" / "cart.events").read_text())["message"] == (
        "Restarted: container main was started again after it ended: OOMKilled, exit code 137"
    )

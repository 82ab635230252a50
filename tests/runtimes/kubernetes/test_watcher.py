"""What the watcher makes of pods and of the lines that they say."""

from __future__ import annotations

import json
import os
import threading

import pytest

from pytest_anomod.runtimes.kubernetes import watcher as watching
from pytest_anomod.runtimes.kubernetes.api import PODS, SERVICE, Api


@pytest.fixture
def watcher(tmp_path, monkeypatch):
    """One whose followers do nothing, with two services."""
    for folder in ("logs", "spans", "undo"):
        (tmp_path / folder).mkdir()
    followed = []
    monkeypatch.setattr(watching.Watcher, "_start", lambda self, *words, previous: followed.append((*words, previous)))
    services = {
        name: {"labels": {SERVICE: name}, "container": "main", "format": form}
        for name, form in (("cart", "json"), ("cache", "redis"))
    }
    orders = {"place": {}, "namespace": "n", "directory": str(tmp_path), "is_made": True}
    made = watching.Watcher({**orders, "services": services})
    made.followed = followed
    return made


def pod(uid, service="cart", *, restarts=0, started=True, created="2026-01-01T00:00:00Z", leaving=False):
    metadata = {"uid": uid, "name": f"{service}-{uid}", "labels": {SERVICE: service}, "creationTimestamp": created}
    if leaving:
        metadata["deletionTimestamp"] = created
    status = {"name": "main", "restartCount": restarts, "state": {"running": {}}, "started": started}
    return {"metadata": metadata, "status": {"podIP": "10.0.0.1", "containerStatuses": [status]}}


def look(watcher, *pods):
    watcher.pods = {one["metadata"]["uid"]: one for one in pods}
    watcher._look()
    return json.loads((watcher.directory / "undo" / PODS).read_text())


def test_starts_of_a_service_are_counted_over_its_pods(watcher):
    """A container that was restarted, and a pod that took another's place, are each one more."""
    assert look(watcher, pod("a"))["numbers"] == {"cart": 1}
    assert look(watcher, pod("a", restarts=1))["numbers"] == {"cart": 2}
    seen = look(watcher, pod("b"))
    assert seen["numbers"] == {"cart": 3}
    assert seen["services"]["cart"]["state"] == "running"
    assert [words[:4] for words in watcher.followed] == [
        ("cart", "cart-a", 1, 1), ("cart", "cart-a", 2, 2), ("cart", "cart-b", 1, 3)
    ]  # fmt: skip


def test_replicas_of_a_service_are_no_starts_of_each_other(watcher):
    """Those that are there at first sight, and those that come later, beside them; what takes a place is a start."""
    assert look(watcher, pod("a"), pod("b"))["numbers"] == {"cart": 1}
    assert look(watcher, pod("a"), pod("b"), pod("c"))["numbers"] == {"cart": 1}
    assert look(watcher, pod("b"), pod("c"), pod("d"))["numbers"] == {"cart": 2}
    assert look(watcher, pod("b"), pod("c", restarts=1), pod("d"))["numbers"] == {"cart": 3}


@pytest.fixture
def follow(fake, watcher, monkeypatch):
    """What reads the log of cart's container, and how its pod is known to be gone."""
    monkeypatch.setattr(watching, "ENDED_S", 0.0)
    monkeypatch.setattr(watching, "AGAIN_S", 0.0)
    watcher.api = Api(fake.place)
    look(watcher, pod("a"))
    return watching.Follow(watcher, "cart", "cart-a", 1, 1)


ONE, TWO = b"2026-01-01T00:00:01Z {1}\n", b"2026-01-01T00:00:02Z {2}\n"


def test_a_log_that_ends_while_its_container_runs_is_read_on(fake, watcher, follow):
    """It was rotated, or the API server has ended in order; what was read is not read twice."""

    def said():
        yield ONE, False
        yield ONE + TWO, False
        watcher.pods = {}
        yield b"", False

    fake.streams["follow=true"] = said()
    follow.run()
    assert (watcher.directory / "logs" / "cart.log").read_bytes() == b"{1}\n{2}\n"


def test_what_could_not_be_written_is_read_again(fake, watcher, follow, monkeypatch):
    """As payloads while the receiver is too busy to take them."""
    sink = watcher.sinks["cart"]
    write, tries = sink.write, []

    def fails_once(*words):
        tries.append(words)
        if len(tries) == 1:
            raise OSError
        write(*words)
        watcher.pods = {}

    monkeypatch.setattr(sink, "write", fails_once)
    fake.streams["follow=true"] = iter([(ONE, False), (ONE, False)])
    follow.run()
    assert (watcher.directory / "logs" / "cart.log").read_bytes() == b"{1}\n"


def test_a_thread_that_fails_ends_the_watcher(watcher, monkeypatch, capsys):
    """It would go on with a part of its eyes shut, and nobody would notice."""

    def run(self):
        thread = threading.Thread(target=lambda: {}["a log"])
        thread.start()
        thread.join()

    ended = []
    monkeypatch.setattr(watching.Watcher, "run", run)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(os, "_exit", ended.append)
    orders = {"place": {}, "namespace": "n", "directory": str(watcher.directory), "services": {}, "is_made": True}
    watching.main(["", json.dumps(orders)])
    assert ended == [1]
    assert "KeyError: 'a log'" in capsys.readouterr().err


def test_the_log_of_a_container_that_nobody_saw_is_fetched(watcher):
    """One that ended between two looks: its pod still has it."""
    look(watcher, pod("a", restarts=2))
    assert [words[4] for words in watcher.followed] == [True, False]


def test_of_two_pods_the_one_that_stays_counts(watcher):
    """While one goes and its successor comes, the successor is the service, running or not."""
    seen = look(watcher, pod("a", leaving=True), pod("b", started=False, created="2025-01-01T00:00:00Z"))
    assert (seen["services"]["cart"]["pod"], seen["services"]["cart"]["state"]) == ("cart-b", "restarting")


def test_lines_go_where_a_process_writes_them(tmp_path):
    """Spans and log lines come mixed; what is no record is kept apart; instances are counted over pods."""
    for folder in ("logs", "spans"):
        (tmp_path / folder).mkdir()
    sink = watching.Sink(tmp_path, "cart", "json")
    log = b'{"service_instance_id":"cart-1","body":"x \\"span_name\\": y"}'
    sink.write([log, b'{"service_instance_id":"cart-1","span_name":"a"}', b"Traceback"], 1, 4)
    assert (tmp_path / "logs" / "cart.log").read_bytes() == log.replace(b"cart-1", b"cart-4") + b"\n"
    assert (tmp_path / "spans" / "cart.jsonl").read_bytes() == b'{"service_instance_id":"cart-4","span_name":"a"}\n'
    assert (tmp_path / "logs" / "cart.err").read_bytes() == b"Traceback\n"


def test_a_store_says_what_it_says(tmp_path):
    """Nothing of the output of a store is taken for anything but its log."""
    for folder in ("logs", "spans"):
        (tmp_path / folder).mkdir()
    watching.Sink(tmp_path, "cache", "redis").write([b'1:M "span_name":', b"ready"], 1, 2)
    assert (tmp_path / "logs" / "cache.log").read_bytes() == b'1:M "span_name":\nready\n'

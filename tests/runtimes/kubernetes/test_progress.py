"""What is in the way of pods that should come up: one line each, once no more is hoped."""

from __future__ import annotations

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes.api import Api
from pytest_anomod.runtimes.kubernetes.progress import IN_THE_WAY_S, Progress

PODS, DEPLOYMENTS, SETS, EVENTS = (
    "GET /api/v1/namespaces/n/pods",
    "GET /apis/apps/v1/namespaces/n/deployments",
    "GET /apis/apps/v1/namespaces/n/statefulsets",
    "GET /api/v1/namespaces/n/events",
)
PULL = {"name": "main", "image": "shop:9", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
CRASH = {"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}
NO_CPU = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}


def pod(name="cart-a", created="2026-01-01T00:00:00Z", **status):
    return {"metadata": {"name": name, "labels": {"part": "cart"}, "creationTimestamp": created}, "status": status}


@pytest.fixture
def progress(fake):
    """Of a system of which nothing is there yet."""
    for what in (PODS, DEPLOYMENTS, SETS, EVENTS):
        fake.answers[what] = {"items": []}
    return Progress(Api(fake.place), "n", "shop", "d1", lambda found: found["metadata"]["labels"]["part"])


def outcome(progress, monkeypatch):
    """What is said after a first look, and once it was in the way for too long; "" for nothing."""
    said = []
    for later_s in (0.0, IN_THE_WAY_S + 1):
        now_s = clock.monotonic_s()
        with monkeypatch.context() as patch:
            patch.setattr(clock, "monotonic_s", lambda now_s=now_s, later_s=later_s: now_s + later_s)
            try:
                progress.check()
                said.append("")
            except DeploymentError as error:
                said.append(str(error))
    return said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"containerStatuses": [PULL]}, "its image can't be pulled (shop:9): ErrImagePull: not found"),
        ({"conditions": [NO_CPU]}, "unschedulable, so it is pending: 0/1 nodes are available: 1 Insufficient cpu."),
        (EVICTED, "evicted by its node: low on memory"),
        ({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't"}, "refused by its node: OutOfcpu: Node"),
    ],
)
def test_what_does_not_pass_is_said_after_a_while(fake, progress, monkeypatch, status, said):
    """The pod, and the cluster's own words."""
    fake.answers[PODS] = {"items": [pod(**status)]}
    first, then = outcome(progress, monkeypatch)
    assert first == ""
    assert then.startswith(f"system 'shop' did not come up: pod 'cart-a' of 'cart': {said}")


def test_an_evicted_pod_that_was_replaced_is_in_nobodys_way(fake, progress, monkeypatch):
    """It stays in the list of pods for hours."""
    fake.answers[PODS] = {"items": [pod(**EVICTED), pod("cart-b", "2026-01-01T00:01:00Z")]}
    assert outcome(progress, monkeypatch) == ["", ""]


def test_a_container_that_ends_again_and_again_is_said_at_once_with_its_last_words(fake, progress, monkeypatch):
    """Nobody wants to look for them."""
    fake.answers[PODS] = {"items": [pod(containerStatuses=[CRASH])]}
    fake.answers[f"{PODS}/cart-a/log"] = "no such file"
    (first, _) = outcome(progress, monkeypatch)
    assert "pod 'cart-a' of 'cart': it ends again and again" in first
    assert 'it last said: "no such file"' in first


def test_a_quota_that_allows_no_pod_is_said(fake, progress, monkeypatch):
    """A Deployment says it in a condition, a StatefulSet in its events only."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: few"}
    fake.answers[DEPLOYMENTS] = {"items": [{"metadata": {"name": "web"}, "status": {"conditions": [failure]}}]}
    assert outcome(progress, monkeypatch)[1] == (
        "system 'shop' did not come up: the cluster makes no pod of 'web': pods is forbidden: exceeded quota: few"
    )
    fake.answers[DEPLOYMENTS] = {"items": []}
    fake.answers[SETS] = {"items": [{"metadata": {"name": "db"}, "spec": {"replicas": 1}, "status": {}}]}
    row = {"involvedObject": {"kind": "StatefulSet", "name": "db"}, "message": "exceeded quota: few"}
    fake.answers[EVENTS] = {"items": [row]}
    assert "the cluster makes no pod of 'db': exceeded quota: few" in outcome(progress, monkeypatch)[1]

"""CPU and memory of other people's pods, by the kubelet's summary or the metrics API, or why there are none."""

from __future__ import annotations

import pytest

from pytest_anomod.model import clock
from pytest_anomod.runtimes.kubernetes import figures
from pytest_anomod.runtimes.kubernetes.api import Api

SUMMARY = "GET /api/v1/nodes/node/proxy/stats/summary"
METRICS = "GET /apis/metrics.k8s.io/v1beta1/namespaces/n/pods"
POD = {"pod": "web-a", "uid": "a/0", "node": "node"}


def row(namespace="n", **figures):
    return {"podRef": {"name": "web-a", "namespace": namespace}, "containers": [figures, figures]}


def test_the_summary_of_the_kubelet_is_taken_where_it_may_be_read(fake):
    """Of all containers of the pod, and not of a pod of that name in another namespace."""
    mine = row(cpu={"usageCoreNanoSeconds": 2_500_000_000}, memory={"workingSetBytes": 1_000})
    fake.answers[SUMMARY] = {"pods": [mine, row("other", cpu={"usageCoreNanoSeconds": 9})]}
    api = Api(fake.place)
    how = figures.way(api, "n", "node")
    stats = figures.Figures(api, "n").of("web", POD, how)
    assert (how, stats.cpu_s, stats.memory_bytes, stats.is_partial) == (figures.SUMMARY, 5.0, 2_000, True)


def test_the_metrics_api_is_added_up(fake, monkeypatch):
    """It tells cores over a window, and never less than before in sum."""
    fake.answers[SUMMARY] = 403, "forbidden"
    fake.answers[METRICS] = {
        "items": [{"metadata": {"name": "web-a"}, "containers": [{"usage": {"cpu": "250m", "memory": "64Mi"}}]}]
    }
    api, now = Api(fake.place), [100.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    how, known = figures.way(api, "n", "node"), figures.Figures(api, "n")
    assert known.of("web", POD, how).cpu_s == 0.0
    now[0] += 4
    stats = known.of("web", POD, how)
    assert (how, stats.cpu_s, stats.memory_bytes) == (figures.METRICS, 1.0, 64 << 20)
    assert known.of("web", {**POD, "pod": "web-b"}, how) is None


def test_why_there_are_none_is_said(fake):
    """In one line, with both reasons."""
    fake.answers[SUMMARY] = 403, "nodes/proxy is forbidden"
    why = figures.way(Api(fake.place), "n", "node")
    assert why.startswith("the cluster gives no figures of pods: there is no metrics API in this cluster")
    assert "nodes/proxy is forbidden" in why


@pytest.mark.parametrize(("text", "number"), [("1500000n", 0.0015), ("2", 2.0), ("3Gi", 3 * 2.0**30), ("1k", 1000.0)])
def test_quantities_are_read(text, number):
    assert figures.quantity(text) == pytest.approx(number)

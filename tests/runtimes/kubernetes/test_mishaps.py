"""What happens to a cluster in the middle of a case: one line each, and no case that is taken for whole."""

from __future__ import annotations

import subprocess

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.kubernetes import mishaps
from pytest_anomod.runtimes.kubernetes import watcher as watching
from pytest_anomod.runtimes.kubernetes.api import SERVICE, Api

S = clock.NS_PER_S


@pytest.fixture
def now(monkeypatch):
    """The time in seconds that the wall clock shows, in a list."""
    shown = [1_000]
    monkeypatch.setattr(clock, "now_ns", lambda: shown[0] * S)
    return shown


@pytest.fixture
def watcher(deployment, monkeypatch):
    """That of the deployment, whose followers do nothing."""
    monkeypatch.setattr(watching.Watcher, "_start", lambda self, *words, previous: None)
    services = {"cart": {"labels": {SERVICE: "cart"}, "container": "main", "format": "json"}}
    ref = deployment.ref
    return watching.Watcher(
        {"place": ref["place"], "namespace": "n", "directory": ref["directory"], "services": services, "is_made": True}
    )


def pod(**status):
    metadata = {"uid": "a", "name": "cart-a", "labels": {SERVICE: "cart"}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "spec": {"nodeName": "node"}, "status": status}


def test_an_api_server_that_was_away_for_twenty_seconds_spoils_the_case(fake, deployment, watcher, now):
    """Who asks meanwhile hears it in one line; afterwards all is as before, and the case of that time is none."""
    api = Api(fake.place, answer_s=1.0)
    watcher.ping(api)
    assert deployment.pods() == {}
    fake.down()
    watcher.ping(api)
    with pytest.raises(DeploymentError, match="the pods of 'shop' can't be seen: GET /version: the API server does"):
        deployment.instances()
    now[0] += 20
    assert "does not answer" in deployment.mishaps(990 * S, now[0] * S)[0]
    assert deployment.mishaps(990 * S, now[0] * S)[0].endswith("is away still")
    fake.up()
    watcher.ping(api)
    assert deployment.pods() == {}
    (line,) = deployment.mishaps(990 * S, 1_100 * S)
    assert line.startswith("the cluster could not be asked for 20 s: GET /version: the API server does not answer")
    assert deployment.mishaps(1_021 * S, 1_100 * S) == ()


def test_one_that_was_away_for_a_moment_spoils_nothing(fake, deployment, watcher, now):
    """States of pods come a little late."""
    api = Api(fake.place, answer_s=1.0)
    fake.refuses = 500, "busy"
    watcher.ping(api)
    now[0] += 3
    fake.refuses = None
    watcher.ping(api)
    assert deployment.mishaps(990 * S, 1_100 * S) == ()


def test_a_token_that_expires_in_the_middle_is_said(fake, deployment, watcher, now):
    """With what to do, to whoever asks, and in what becomes of the case."""
    fake.refuses = 401, "Unauthorized"
    watcher.ping(Api(fake.place))
    with pytest.raises(DeploymentError, match=r"does not know us \(Unauthorized\): a token that has expired\? Log in"):
        deployment.instances()
    now[0] += 9
    assert "a token that has expired" in deployment.mishaps(990 * S, now[0] * S)[0]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            "pod 'cart-a' of 'cart' was evicted by its node: The node was low on resource: memory.; ",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
                        "message": "Taint manager: deleting due to NoExecute taint",
                    }
                ]
            },
            "pod 'cart-a' of 'cart' was taken from its node: DeletionByTaintManager: Taint manager: deleting",
        ),
    ],
)  # fmt: skip
def test_a_pod_that_the_cluster_took_spoils_the_case(deployment, watcher, now, status, said):
    """It is no fault of ours that the service was away; each is told once."""
    watcher.pods = {"a": pod(**status)}
    watcher._look()
    watcher._look()
    (line,) = deployment.mishaps(990 * S, 1_010 * S)
    assert line.startswith(said)
    assert deployment.mishaps(1_001 * S, 1_010 * S) == ()


def test_what_was_away_still_counts_to_the_end_of_the_case(deployment, now):
    """The API server went away after the case, or so shortly before its end that nothing was missed."""
    deployment.sees("gone", 1_000 * S)
    assert deployment.mishaps(900 * S, 1_005 * S) == ()
    assert len(mishaps.between(deployment.directory, 900 * S, 1_009 * S)) == 1


def test_a_watcher_that_was_killed_spoils_the_case(deployment):
    """What it saw last must not pass for what is; and the next case gets another system."""
    with subprocess.Popen(["sleep", "60"]) as process:
        deployment.is_followed_by(process.pid)
        assert deployment.mishaps(990 * S, 1_010 * S) == ()
        assert len(deployment.instances()) == 3
        process.kill()
    deployment.forget_instances()
    (line,) = deployment.mishaps(990 * S, 1_010 * S)
    assert line.startswith("the program that follows the pods has ended")
    with pytest.raises(DeploymentError, match="can't be seen: the program that follows the pods has ended"):
        deployment.instances()
    assert deployment.unhealthy() == ("cart", "stock", "other")


def test_a_watch_that_hangs_is_begun_anew(fake, watcher, monkeypatch):
    """As when the way to the API server was lost without a word; that nothing happens is no trouble."""

    def look():
        looks.append(watcher.away.said()["error"])
        if len(looks) == 2:
            raise KeyboardInterrupt

    looks = []
    monkeypatch.setattr(mishaps, "LOST_S", 0.1)
    for thread in ("_ping_forever", "_hear_forever"):
        monkeypatch.setattr(watching.Watcher, thread, lambda self: None)
    monkeypatch.setattr(watcher, "_look", look)
    monkeypatch.setattr(watcher, "_write", pytest.fail)
    fake.answers["GET /api/v1/namespaces/n/pods"] = {"items": [], "metadata": {"resourceVersion": "1"}}
    fake.streams["watch=true"] = iter([(b"", True)])
    with pytest.raises(KeyboardInterrupt):
        watcher.run()
    assert looks == ["", ""]


def test_a_node_that_is_lost_spoils_the_case(deployment, watcher, now):
    """Long before its pods are taken from it; what was before anybody listened is of another case."""
    watcher.pods = {"a": pod(phase="Running")}
    watcher._look()
    event = {
        "metadata": {"uid": "e"}, "involvedObject": {"name": "cart-a"}, "reason": "NodeNotReady",
        "message": "Node is not ready",
    }  # fmt: skip
    watcher.hear({**event, "metadata": {"uid": "before"}}, old=True)
    watcher.hear(event)
    watcher.hear(event)
    (line,) = deployment.mishaps(990 * S, 1_010 * S)
    assert line == "pod 'cart-a' of 'cart' is on a node that is not ready: Node is not ready"

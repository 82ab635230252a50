"""A campaign on a cluster: its objects, what its runner says, and who watches it, at an API server in memory."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
import types

import pytest

from pytest_anomod.cli import main
from pytest_anomod.spreading import runner
from pytest_anomod.spreading.command import asked
from pytest_anomod.spreading.job import CAMPAIGN, Campaign, job, namespaces, remembered
from pytest_anomod.spreading.watching import Watch, numbers, table

ONE = Campaign(
    name="night",
    namespace="chaos",
    image="runner:1",
    indexes=3,
    parallel=2,
    out="s3://cases/night",
    pytest=("experiments", "-k", "s3"),
    secrets=("store",),
)


def test_each_index_plays_its_share_once_and_again_when_its_pod_is_lost():
    spec = job(ONE)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 2)
    assert spec["backoffLimitPerIndex"] > 0
    assert spec["podReplacementPolicy"] == "Failed"
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    at = container["command"].index("--")
    assert container["command"][:at][-4:] == ["--of", "3", "--out", "s3://cases/night"]
    assert container["command"][at + 1 :] == ["experiments", "-k", "s3"]
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert "volumes" not in pod
    assert remembered(job(ONE)["metadata"]["annotations"][CAMPAIGN]) == ONE


@pytest.mark.parametrize(
    ("out", "source"),
    [
        ("claim", {"persistentVolumeClaim": {"claimName": "claim"}}),
        ("/data/out", {"hostPath": {"path": "/data/out", "type": "DirectoryOrCreate"}}),
    ],
)
def test_cases_may_go_to_a_volume(out, source):
    shared = dataclasses.replace(ONE, out=out)
    pod = job(shared)["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "out", **source}]
    command = pod["containers"][0]["command"]
    assert command[command.index("--out") + 1] == pod["containers"][0]["volumeMounts"][0]["mountPath"]


def test_indexes_have_namespaces_of_their_own_with_no_more_than_a_role():
    own = dataclasses.replace(ONE, owns_namespaces=True, account="night")
    rules = [{"apiGroups": ("",), "resources": ("pods",), "verbs": ("get",)}]
    made = namespaces(own, rules)
    assert [kind for kind, _ in made] == ["Namespace", "Role", "RoleBinding"] * 3
    assert [body["metadata"]["name"] for kind, body in made if kind == "Namespace"] == ["night-0", "night-1", "night-2"]
    assert made[1][1]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    assert made[2][1]["subjects"] == [{"kind": "ServiceAccount", "name": "night", "namespace": "chaos"}]


def test_the_runner_plays_the_share_of_its_index_and_says_how_far_it_is(pytester, monkeypatch):
    pytester.makepyfile(test_them="def test_a(): pass\ndef test_b(): assert False\n")
    monkeypatch.setenv(runner.INDEX, "1")
    code = """
import sys
from pytest_anomod.spreading import runner
sys.exit(runner.main(sys.argv[1:]))
"""
    words = ["--of", "3", "--out", "there", "--", "-p", "no:cacheprovider", "test_them.py"]
    result = pytester.run(sys.executable, "-c", code, *words)
    assert result.ret == 0  # it failed a test, and was played to its end
    lines = [line for line in result.outlines if line.startswith(runner.MARK)]
    assert lines == ["anomod-campaign 0/2 ", "anomod-campaign 1/2 passed=1", "anomod-campaign 2/2 failed=1 passed=1"]
    assert pytester.run(sys.executable, "-c", code, *words, "--no-such-option").ret == pytest.ExitCode.USAGE_ERROR


class Cluster:
    """A Job and its pods as the client gives them, and their logs."""

    def __init__(self) -> None:
        self.status = types.SimpleNamespace(completed_indexes=None, failed_indexes=None, conditions=[])
        self.pods: list = []
        self.logs: dict[str, str] = {}

    def read_namespaced_job(self, *_):
        return types.SimpleNamespace(status=self.status)

    def list_namespaced_pod(self, *_, **__):
        return types.SimpleNamespace(items=self.pods)

    def read_namespaced_pod_log(self, pod, *_, **__):
        return self.logs.get(pod, "")

    def pod(self, name, index, phase, log="", container=None):
        meta = types.SimpleNamespace(
            uid=name,
            name=name,
            annotations={"batch.kubernetes.io/job-completion-index": str(index)},
            creation_timestamp=dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=len(self.logs)),
            deletion_timestamp=None,
        )
        status = types.SimpleNamespace(phase=phase, container_statuses=container, conditions=[], reason=None)
        self.logs[name] = log
        return types.SimpleNamespace(metadata=meta, status=status)


@pytest.fixture
def watched():
    there = Cluster()
    watch = Watch.__new__(Watch)
    watch._watch(ONE, there, there)
    return watch, there


def test_a_lost_pod_is_seen_and_what_it_did_is_counted_once(watched):
    watch, there = watched
    there.pods = [there.pod("a", 0, "Running", "x\nanomod-campaign 2/5 effective=2\n"), there.pod("b", 1, "Running")]
    assert not watch.look()
    assert [str(share) for share in watch.shares] == ["0: running 2/5", "1: running", "2: waiting"]
    there.pods = [there.pod("b", 1, "Running")]
    watch.look()
    assert str(watch.shares[0]) == "0: again 2/5"
    there.pods.append(there.pod("c", 0, "Running", "anomod-campaign 3/5 effective=1 in_the_dataset=2\n"))
    there.status.completed_indexes = "1-2"
    watch.look()
    assert [str(share) for share in watch.shares] == ["0: running 3/5", "1: played", "2: played"]
    there.status = types.SimpleNamespace(
        completed_indexes="0-2", failed_indexes="", conditions=[types.SimpleNamespace(type="Complete", status="True")]
    )
    said = []
    assert watch.until_the_end(said.append)
    assert said[0].endswith("3 tests done; 0: played 3/5, 1: played, 2: played")
    assert table(watch).splitlines()[1].split() == ["0", "played", "3/5", "2", "effective=1", "in_the_dataset=2"]


def test_why_a_pod_does_not_run_is_said(watched):
    watch, there = watched
    waits = types.SimpleNamespace(reason="ErrImagePull", message="no such image")
    state = types.SimpleNamespace(terminated=None, waiting=waits)
    there.pods = [there.pod("a", 0, "Pending", container=[types.SimpleNamespace(state=state)])]
    watch.look()
    assert str(watch.shares[0]) == "0: waiting (ErrImagePull: no such image)"


def test_numbers_of_indexes():
    assert numbers("0,2-4") == {0, 2, 3, 4}
    assert numbers(None) == numbers("") == frozenset()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "s3://a"], "a campaign needs --image"),
        (["--image", "a"], "a campaign needs --out"),
        (["--image", "a", "--out", "b", "--name", "A_b"], "--name A_b: up to 40 small letters"),
        (["--image", "a", "--out", "b", "-N", "2", "--parallel", "3"], "-N 2 --parallel 3"),
        (["--image", "a", "--out", "b", "--env", "x"], "--env x: write NAME=VALUE"),
    ],
)
def test_what_can_not_be_asked_for_is_told(tmp_path, monkeypatch, capsys, words, said):
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    assert main(["campaign", "--kubernetes", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_campaign_in_the_cluster_is_asked_for_in_so_many_words():
    arguments = types.SimpleNamespace(
        name="n", image="i", out="o", indexes=4, parallel=None, env=["A=b=c"], secret=["s"], cpu="", memory="",
        runtime="kubernetes", pytest=["tests"],
    )  # fmt: skip
    campaign = asked(arguments, "default")
    assert (campaign.parallel, campaign.account, campaign.env) == (4, "n", {"A": "b=c"})
    assert campaign.pytest == ("tests", "--anomod-runtime=kubernetes")

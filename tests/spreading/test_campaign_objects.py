"""What a campaign makes in a cluster and removes again, at an API server in memory: nothing of anybody else goes."""

from __future__ import annotations

import dataclasses

import pytest
from injectors.api_server import ApiServer

from pytest_anomod.cli import main
from pytest_anomod.host import cluster
from pytest_anomod.injectors.chaos_mesh.resources import GROUP
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.spreading import command, runner
from pytest_anomod.spreading.job import CAMPAIGN, HOME, Campaign, job
from pytest_anomod.spreading.watching import Share

ONE = Campaign(
    name="night",
    namespace="default",
    image="runner:1",
    indexes=2,
    parallel=2,
    out="s3://cases/night",
    pytest=("experiments",),
    owns_namespaces=True,
    account="night",
)
NAMESPACES, JOBS = "/api/v1/namespaces", "/apis/batch/v1/namespaces/default/jobs"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/night-0/roles"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An API server that KUBECONFIG names, with the namespaces of others."""
    with ApiServer({}).running() as running:
        monkeypatch.setenv("KUBECONFIG", running.kubeconfig(tmp_path / "kubeconfig"))
        monkeypatch.delenv(cluster.NAMESPACE, raising=False)
        running.objects[NAMESPACES] = {}
        yield running


def others(server, name, **labels):
    """A namespace that is somebody else's."""
    server.objects[NAMESPACES][name] = {"metadata": {"name": name, "uid": f"uid of {name}", "labels": labels}}


def names(server, path):
    return sorted(server.objects.get(path, {}))


def test_a_campaign_that_can_not_be_made_removes_what_it_made_and_nothing_else(server):
    """A namespace of the second index' name is there: it is not ours, whatever its name."""
    others(server, "night-1", team="shop")
    with pytest.raises(DeploymentError, match="Namespace night-1 was not made: night-1 already exists"):
        command.start(cluster.place(), ONE)
    assert names(server, NAMESPACES) == ["night-1"]
    assert names(server, JOBS) == []


def test_a_job_or_an_account_of_somebody_else_stays(server):
    others(server, "night-0", **{CAMPAIGN: "night", HOME: "elsewhere"})
    server.objects[JOBS] = {"night": {"metadata": {"name": "night", "uid": "theirs"}, "spec": job(ONE)["spec"]}}
    with pytest.raises(ScenarioError, match="there is a campaign night"):
        command.start(cluster.place(), ONE)
    assert main(["campaign", "--kubernetes", "--delete", "night"]) == 2
    assert names(server, JOBS) == ["night"]
    server.objects[JOBS] = {}
    server.objects[ACCOUNTS] = {"night": {"metadata": {"name": "night", "uid": "theirs"}}}
    with pytest.raises(DeploymentError, match="service account night was not made"):
        command.start(cluster.place(), ONE)
    assert (names(server, JOBS), names(server, ACCOUNTS), names(server, NAMESPACES)) == ([], ["night"], ["night-0"])


def test_the_job_is_there_before_its_namespaces_and_begins_after_them(server, monkeypatch):
    """So a start that is killed leaves what --delete finds; Ctrl-C leaves nothing."""
    make = command._make_namespaces

    def interrupted(place, campaign):
        (made,) = server.objects[JOBS].values()
        assert made["spec"]["suspend"] is True
        with pytest.raises(ScenarioError, match="campaign night is suspended"):
            command.found(place, "default", "night")
        make(place, campaign)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_make_namespaces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.start(cluster.place(), ONE)
    assert (names(server, JOBS), names(server, NAMESPACES)) == ([], [])
    monkeypatch.setattr(command, "_make_namespaces", make)
    command.start(cluster.place(), ONE)
    (made,) = server.objects[JOBS].values()
    assert made["spec"]["suspend"] is False
    assert command.found(cluster.place(), "default", "night") == ONE
    (account,) = server.objects[ACCOUNTS].values()
    assert account["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert names(server, NAMESPACES) == ["night-0", "night-1"]


def test_a_campaign_whose_job_is_gone_is_deleted_by_its_labels(server, capsys):
    command.start(cluster.place(), ONE)
    others(server, "day-0", **{CAMPAIGN: "day", HOME: "default"})
    others(server, "night-2", **{CAMPAIGN: "night", HOME: "elsewhere"})
    del server.objects[JOBS]["night"]
    words = ["campaign", "--kubernetes", "--delete", "night"]
    assert main(words) == 0
    assert names(server, NAMESPACES) == ["day-0", "night-2"]
    assert main(words) == 2
    assert "there is no campaign night in namespace default" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("experiments",), False),
        (("-k", "chaos_mesh"), False),
        (("--anomod-injector=chaos_mesh",), True),
        (("--anomod-injector", "chaos_mesh"), True),
    ],
)
def test_rights_on_chaos_mesh_are_given_only_where_it_injects(server, words, given):
    """Nobody can give a right that they don't have."""
    command.start(cluster.place(), dataclasses.replace(ONE, pytest=words))
    (role,) = server.objects[ROLES].values()
    assert any(GROUP in rule["apiGroups"] for rule in role["rules"]) is given


def test_a_campaign_in_which_no_index_has_a_test_was_not_played(server, monkeypatch):
    """As where -k is mistyped: every pod ends well, and nothing was done."""
    said = []

    class Looking:
        def __init__(self, campaign, place):
            self.shares = [Share(index=index, state="played", all=tests) for index, tests in enumerate(self.tests)]

        def until_the_end(self, say):
            return True

    monkeypatch.setattr("pytest_anomod.spreading.watching.Watch", Looking)
    monkeypatch.setattr(command, "_bring_together", lambda *_: None)
    for tests, code in (((0, 0), 1), ((0, 1), 0), ((None, 0), 0)):
        Looking.tests = tests
        server.objects[JOBS] = {"night": {"metadata": {"name": "night", "labels": {CAMPAIGN: "night"}, **job_of_one()}}}
        assert command.watch(cluster.place(), ONE, said.append) == code
        assert bool(names(server, JOBS)) is bool(code)
    assert [line for line in said if "no index had a test to play" in line] == [
        "no index had a test to play: is there one in the image that this chooses? pytest experiments"
    ]


def job_of_one():
    return {"uid": "ours", "annotations": job(ONE)["metadata"]["annotations"]}


def test_what_a_lost_pod_left_is_removed_before_its_index_is_played_again(server, monkeypatch, capsys):
    """Systems of ours by their label, nothing else in the namespace; where it can't be, the index is not played."""
    ours = {"metadata": {"name": "cart", "uid": "a", "labels": {"pytest-anomod/deployment": "d1"}}}
    theirs = {"metadata": {"name": "kube-root-ca.crt", "uid": "b"}}
    kept = {
        "/apis/apps/v1/namespaces/night-1/deployments": {"cart": ours},
        "/api/v1/namespaces/night-1/secrets": {"cart": ours},
        "/api/v1/namespaces/night-1/configmaps": {"kube-root-ca.crt": theirs},
        "/apis/apps/v1/namespaces/night-0/deployments": {"cart": ours},
    }
    server.objects |= kept
    monkeypatch.setenv(runner.INDEX, "1")
    monkeypatch.setenv(cluster.NAMESPACE, "")
    monkeypatch.setattr(pytest, "main", lambda *_, **__: pytest.ExitCode.OK)
    monkeypatch.setattr(runner.signal, "signal", lambda *_: None)
    words = ["--of", "2", "--out", "there", "--namespaces", "night"]
    assert runner.main(words) == 0
    assert [sorted(names(server, path)) for path in kept] == [[], [], ["kube-root-ca.crt"], ["cart"]]
    server.away = True
    assert runner.main(words) != 0
    assert "what a lost pod of this index left can't be removed" in capsys.readouterr().err

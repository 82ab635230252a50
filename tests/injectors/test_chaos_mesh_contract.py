"""The injector chaos_mesh and what Chaos Mesh does: in memory, at a real API server, and with a real one."""

from __future__ import annotations

import dataclasses

import pytest
from api_server import ApiServer
from kubernetes import client
from kubernetes.client import ApiException, CustomObjectsApi
from mesh_controller import KINDS, NO_NETEM
from mesh_town import API, Town, install, modes

from pytest_anomod import faults
from pytest_anomod.cli import main
from pytest_anomod.host import cluster
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.injectors.chaos_mesh import injector as injectors
from pytest_anomod.injectors.chaos_mesh import probes, resources, trial
from pytest_anomod.injectors.chaos_mesh.injector import ChaosMeshInjector
from pytest_anomod.injectors.chaos_mesh.resources import GROUP, VERSION, plural
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import DeploymentError, InjectionError, ScenarioError
from pytest_anomod.model.fault import Observation
from pytest_anomod.model.system import Manifests
from pytest_anomod.runtimes.kubernetes import objects
from pytest_anomod.testing import FAKE_SYSTEM, FakeRuntime

INJECTOR = ChaosMeshInjector()


@pytest.fixture(scope="module")
def server():
    """An API server in memory that serves the kinds of Chaos Mesh."""
    with ApiServer({f"{GROUP}/{VERSION}": KINDS}).running() as running:
        yield running


@pytest.fixture(params=modes())
def mode(request):
    return request.param


@pytest.fixture
def where(mode, server, tmp_path, monkeypatch):
    """The place of the cluster, told by the environment as it would be to anyone."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    if mode == "memory":
        server.patches, server.denied = 0, set()
        monkeypatch.setenv("KUBECONFIG", server.kubeconfig(tmp_path / "kubeconfig"))
    elif mode == "api":
        monkeypatch.setenv("KUBECONFIG", API)
        monkeypatch.setenv(trial.IMAGE, "localhost/pause:1")  # where there is a node, it has that
        install(cluster.place())
    injectors.served.cache_clear()
    return cluster.place()


@pytest.fixture
def town(mode, server, where, tmp_path, monkeypatch):
    """`town(lacks=..., leaves=...)`: the pods and who plays Chaos Mesh; nothing is left at the end, nothing patched."""
    made = []

    def make(**plays):
        if mode == "live" and plays:
            pytest.skip("a real Chaos Mesh lacks what it lacks")
        version = (lambda: server.version) if mode == "memory" else None
        made.append(Town(mode, where, tmp_path / "deployment", version, **plays))
        if mode != "live":
            _play_looks(made[0], monkeypatch)
        return made[0]

    yield make
    for one in made:
        left = one.resources()
        one.close()
        assert not left


def _play_looks(town, monkeypatch):
    """Where no container runs, looks from inside and from where users are see what our controller noted."""
    monkeypatch.setattr(cluster, "execute", town.execute)
    monkeypatch.setattr(probes, "LOOK_S", 0)
    for kind, action in {
        faults.NetworkDelay: "NetworkChaos delay",
        faults.NetworkLoss: "NetworkChaos loss",
        faults.NetworkBandwidth: "NetworkChaos bandwidth",
        faults.HttpAbort: "HTTPChaos replace",
        faults.HttpDelay: "HTTPChaos delay",
    }.items():
        monkeypatch.setattr(kind, "prepare", lambda *_: None)
        monkeypatch.setattr(
            kind,
            "look",
            lambda _, deployment, target, action=action: Observation(active=action in town.inside(target)),
        )


EACH = [
    faults.CpuContention(),
    faults.DatabaseMemoryLimit(),
    faults.DiskStress(stall_ms=10),
    faults.DnsFailure(peers=("app",)),
    faults.HttpAbort(percent=100),
    faults.HttpDelay(percent=100),
    faults.KillService(once=True),
    faults.KillService(period_s=0.5),
    faults.MemoryPressure(),
    faults.NetworkBandwidth(),
    faults.NetworkDelay(),
    faults.NetworkLoss(),
    faults.NetworkPartition(peers=("app",)),
    faults.StopService(),
]


def test_each_kind_and_action_goes_in_and_out(town):
    """By the probe, not by the resource; its undo entry is closed only then. All in one town, one after another."""
    here = town()
    deployment = here.deployment
    if here.mode == "live":
        pytest.skip("its pods are no stores: test_a_real_one")
    # a fake system of two has nobody else to be reached by
    deployment._services["another"] = FAKE_SYSTEM.service("app")
    for fault in EACH:
        INJECTOR.prepare(fault, deployment, "gateway")
        assert not INJECTOR.active(fault, deployment, "gateway"), fault
        done = INJECTOR.inject(fault, deployment, "gateway")
        _await_seen(fault, deployment)
        assert done["said"]["conditions"]["AllInjected"] == "True"
        INJECTOR.recover(fault, deployment, "gateway")
        assert not INJECTOR.active(fault, deployment, "gateway"), fault
        assert not open_entries(deployment)
        assert not here.resources(), fault
        clock.wait_until(here.all_ready, timeout_s=10, what="pods to be back")


def test_a_loop_of_kills_is_a_schedule_that_goes_on_until_it_is_deleted(town):
    here, fault = town(), faults.KillService(period_s=3, away_s=1)
    INJECTOR.inject(fault, here.deployment, "gateway")
    first = here.pods("gateway")
    _await_seen(fault, here.deployment)
    INJECTOR.recover(fault, here.deployment, "gateway")
    assert here.resources() == []
    assert {pod["metadata"]["uid"] for pod in first} or first == []


def test_what_the_node_can_not_do_is_an_error_and_leaves_nothing_behind(town, monkeypatch):
    """It would hang in its deletion and spoil the pod's next fault: cured, that goes in."""
    monkeypatch.setattr(injectors, "FAILED_S", 0)
    here = town(lacks=["NetworkChaos delay"])
    with pytest.raises(InjectionError, match=f"did not put 'network_delay' into 'gateway': {NO_NETEM}"):
        INJECTOR.inject(faults.NetworkDelay(), here.deployment, "gateway")
    assert here.resources() == []
    assert not open_entries(here.deployment)
    here.deployment._services["another"] = FAKE_SYSTEM.service("app")
    fault = faults.NetworkPartition(peers=("app",))
    INJECTOR.inject(fault, here.deployment, "gateway")
    INJECTOR.recover(fault, here.deployment, "gateway")


def test_it_is_refused_at_collection_where_a_trial_shows_it(town, monkeypatch):
    """In one line, with what Chaos Mesh says; once a day, and what can be done is not refused."""
    monkeypatch.setattr(trial, "FAILED_S", 0)
    here = town(lacks=["NetworkChaos delay"])
    monkeypatch.setenv(cluster.NAMESPACE, here.namespace)

    class Runtime(FakeRuntime):
        """One whose services are pods."""

        def lacks(self, system, service, needs):
            return frozenset()

    def refusal(fault):
        return INJECTOR.refusal(fault, "gateway", FAKE_SYSTEM, Runtime())

    INJECTOR.check()
    why = refusal(faults.NetworkDelay())
    assert why == f"Chaos Mesh can't do NetworkChaos delay on this cluster, as a trial showed: {NO_NETEM}"
    assert refusal(faults.NetworkPartition(peers=("app",))) == ""
    monkeypatch.setattr(trial, "trial", lambda *_: pytest.fail("it is known"))
    assert refusal(faults.NetworkDelay()) == why
    assert "percent=100 in place of 70" in refusal(faults.HttpAbort(percent=70))
    assert "has nothing like it" in refusal(faults.PauseService())
    no_pods = INJECTOR.refusal(faults.StopService(), "gateway", FAKE_SYSTEM, FakeRuntime())
    assert no_pods == "Chaos Mesh acts on pods, which runtime 'fake' has not; choose --anomod-runtime=kubernetes"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (faults.CpuContention(), "its pods have no CPU limit"),
        (faults.DatabaseMemoryLimit(), "its pods have no memory limit"),
        (faults.MemoryPressure(), "its pods have no memory limit"),
        (faults.DnsFailure(peers=("app",)), "the names of its services are in the hosts files of its pods"),
    ],
)
def test_what_does_nothing_to_a_replica_is_refused_at_collection(fault, why, monkeypatch):
    """Its pods are as runtimes/kubernetes/objects.py makes them; those of manifests may have what it takes."""

    class Runtime(FakeRuntime):
        name = "kubernetes"

        def lacks(self, system, service, needs):
            return frozenset()

    made = objects.deployment(
        {"id": "d1", "image": "i", "prefix": ""}, "app", argv=["app"], probe_port=1, aliases={"gateway": "10.0.0.1"}
    )["spec"]["template"]["spec"]
    assert "limits" not in made["containers"][0]["resources"]
    assert (made["dnsPolicy"], made["hostAliases"][0]["hostnames"]) == ("None", ["gateway"])
    assert INJECTOR.refusal(fault, "app", FAKE_SYSTEM, Runtime()).startswith(
        f"Chaos Mesh can't do {fault.name!r} to a replica: {why}"
    )
    monkeypatch.setattr(cluster, "place", lambda: pytest.fail("it is asked what the cluster can do"))
    theirs = dataclasses.replace(FAKE_SYSTEM, deploys=(Manifests(pods={}, namespace="shop"),))
    with pytest.raises(pytest.fail.Exception, match="what the cluster can do"):
        INJECTOR.refusal(fault, "app", theirs, Runtime())


@pytest.mark.parametrize("mode", ["memory"], indirect=False)
def test_a_right_that_is_lacking_is_told_before_collection(where, server, monkeypatch):
    """In the namespace that is ours to use; of one that is made for a trial nobody knows before."""
    server.denied = {"delete *"}
    INJECTOR.check()
    monkeypatch.setenv(cluster.NAMESPACE, "chaos")
    with pytest.raises(
        ScenarioError, match=r"not allowed in namespace 'chaos': delete \*\.chaos-mesh\.org; `anomod doctor"
    ):
        INJECTOR.check()


def test_where_nothing_is_selected_it_fails_at_once(town, monkeypatch):
    here = town()
    monkeypatch.setattr(injectors, "_labels", lambda *_: {"labelSelectors": {"app": "nobody"}})
    with pytest.raises(InjectionError, match="'Selected': 'False'"):
        INJECTOR.inject(faults.DiskStress(), here.deployment, "gateway")


def test_what_was_begun_is_undone_by_its_entry_alone(town, monkeypatch):
    """Whoever began it is dead, and the resource hangs: finalizers, what is kept of the pod, and the pod go."""
    here = town(lacks=["NetworkChaos loss"])
    monkeypatch.setattr(INJECTOR, "_await_word", lambda *_: {})
    monkeypatch.setattr(injectors, "UNDO_S", 0.3)
    INJECTOR.inject(faults.NetworkLoss(), here.deployment, "gateway")
    clock.wait_until(lambda: len(here.resources()) == 2, timeout_s=10, what="the pod to be spoiled")
    (before,) = here.pods("gateway")
    (entry,) = open_entries(here.deployment)
    for _ in range(2):  # twice is fine
        ChaosMeshInjector().undo(entry["entry"])
    assert here.resources() == []
    clock.wait_until(here.all_ready, timeout_s=10, what="pods to be back")
    assert before["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in here.pods("gateway")}


def test_pods_of_others_stay_when_what_was_begun_is_undone(town, monkeypatch):
    """Nobody has allowed to delete them: after the cure it is said what may be left, and the second time nothing is."""
    here = town(lacks=["NetworkChaos loss"], replaceable=False)
    monkeypatch.setattr(INJECTOR, "_await_word", lambda *_: {})
    monkeypatch.setattr(injectors, "UNDO_THEIRS_S", 0.3)
    INJECTOR.inject(faults.NetworkLoss(), here.deployment, "gateway")
    clock.wait_until(lambda: len(here.resources()) == 2, timeout_s=10, what="the pod to be spoiled")
    before = [pod["metadata"]["uid"] for pod in here.pods("gateway")]
    (entry,) = open_entries(here.deployment)
    said = rf"may still be in the pods app=gateway,deployment=d1 of namespace '{here.namespace}', which are not ours"
    with pytest.raises(InjectionError, match=said):
        ChaosMeshInjector().undo(entry["entry"])
    ChaosMeshInjector().undo(entry["entry"])
    assert here.resources() == []
    assert [pod["metadata"]["uid"] for pod in here.pods("gateway")] == before


def test_pods_of_others_stay_when_a_fault_stays_in_them_or_can_not_be_put_in(town, monkeypatch):
    for name in ("FAILED_S", "GONE_S", "NEW_PODS_S", "UNDO_THEIRS_S"):
        monkeypatch.setattr(injectors, name, 0.2)
    here = town(lacks=["NetworkChaos delay"], leaves=["StressChaos cpu"], replaceable=False)
    before = [pod["metadata"]["uid"] for pod in here.pods("gateway")]
    with pytest.raises(InjectionError, match=f"{NO_NETEM}; NetworkChaos .* was forced to go"):
        INJECTOR.inject(faults.NetworkDelay(), here.deployment, "gateway")
    INJECTOR.inject(faults.CpuContention(), here.deployment, "gateway")
    with pytest.raises(InjectionError, match="still seen on 'gateway', whose pods are not ours to replace"):
        INJECTOR.recover(faults.CpuContention(), here.deployment, "gateway")
    assert [pod["metadata"]["uid"] for pod in here.pods("gateway")] == before


def test_a_fault_that_stays_in_the_pod_goes_with_the_pod(town, monkeypatch):
    """The resource is deleted in order and says that all is recovered; the probe sees that it is not."""
    monkeypatch.setattr(injectors, "GONE_S", 0.5)
    here = town(leaves=["StressChaos cpu"])
    fault = faults.CpuContention()
    INJECTOR.inject(fault, here.deployment, "gateway")
    (before,) = here.pods("gateway")
    INJECTOR.recover(fault, here.deployment, "gateway")
    assert before["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in here.pods("gateway")}
    assert not INJECTOR.active(fault, here.deployment, "gateway")


def test_an_update_of_the_spec_is_refused_as_the_product_does(town):
    """So the injector creates and deletes; the cure changes finalizers alone."""
    here = town()
    INJECTOR.inject(faults.NetworkDelay(), here.deployment, "gateway")
    (name,) = here.mesh.named("NetworkChaos", {})
    body = here.mesh.get("NetworkChaos", name)
    body["spec"]["duration"] = "1s"
    words = (GROUP, VERSION, here.namespace, plural("NetworkChaos"), name)
    with pytest.raises(ApiException, match="Cannot update chaos spec"):
        CustomObjectsApi(here.api).replace_namespaced_custom_object(*words, body)
    INJECTOR.recover(faults.NetworkDelay(), here.deployment, "gateway")


@pytest.mark.parametrize("mode", ["memory"], indirect=False)
def test_while_the_api_server_is_away_nothing_is_forgotten(town, server):
    """One line says so, the entry stays open, and later it is undone."""
    here = town()
    INJECTOR.inject(faults.NetworkDelay(), here.deployment, "gateway")
    server.away = True
    with pytest.raises(
        DeploymentError, match=r"NetworkChaos anomod-\w+ was not deleted: .*unable to handle the request"
    ):
        INJECTOR.recover(faults.NetworkDelay(), here.deployment, "gateway")
    server.away = False
    assert len(open_entries(here.deployment)) == 1
    INJECTOR.recover(faults.NetworkDelay(), here.deployment, "gateway")
    assert not open_entries(here.deployment)
    assert server.patches == 0


def test_without_chaos_mesh_or_cluster_the_run_is_refused(tmp_path, monkeypatch):
    injectors.served.cache_clear()
    with ApiServer({}).running() as bare:
        monkeypatch.setenv("KUBECONFIG", bare.kubeconfig(tmp_path / "bare"))
        with pytest.raises(ScenarioError, match="needs Chaos Mesh in the cluster of context 'fake'"):
            INJECTOR.check()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ScenarioError, match="needs a cluster: there is no kubeconfig at"):
        INJECTOR.check()
    injectors.served.cache_clear()


def open_entries(deployment):
    """What the undo journal holds that is not done."""
    return [entry for entry in deployment.world.read()["undo"].values() if entry is not None]


def _await_seen(fault, deployment):
    clock.wait_until(
        lambda: INJECTOR.active(fault, deployment, "gateway"), timeout_s=10, what=f"{fault!r} to be seen", every_s=0.1
    )


def test_what_a_killed_trial_left_is_removed_by_the_next(town, monkeypatch):
    """Once it is so old that nobody can be at it."""
    here = town()
    left = {"metadata": {"name": "anomod-trial-x", "labels": {trial._LABEL: "anomod-trial-x"}}}
    spec = {"containers": [{"name": "trial", "image": "none"}], "schedulerName": "anomod-tests"}
    here.core.create_namespaced_pod(here.namespace, {**left, "spec": spec})
    where = {**here.where, "namespace": here.namespace}
    assert trial._sweep(where) == []
    assert here.mesh.pods(left["metadata"]["labels"])
    monkeypatch.setattr(trial, "OLD_S", -1)
    assert trial._sweep(where) == ["anomod-trial-x"]
    assert not here.mesh.pods(left["metadata"]["labels"])


@pytest.mark.parametrize("mode", ["memory"], indirect=False)
def test_a_namespace_of_a_killed_trial_is_removed_by_anomod_clean(where, server, monkeypatch, capsys):
    """Also one without pods, with a resource that would hang; those of others stay."""
    core, name = client.CoreV1Api(cluster.connect(where)), "anomod-trial-y"
    labels = {trial._LABEL: name}
    for made in ({"name": name, "labels": labels}, {"name": "shop"}):
        core.create_namespace({"metadata": made})
    mesh = trial.Mesh(where, name)
    body = resources.whole({"kind": "PodChaos", "spec": {}}, name=name, namespace=name, labels=labels)
    mesh.create({**body, "metadata": {**body["metadata"], "finalizers": ["chaos-mesh/records"]}})
    monkeypatch.setattr(catalog, "offers", lambda _: {})
    monkeypatch.setattr(trial, "OLD_S", -1)
    assert main(["clean"]) == 0
    assert "nothing was left behind" in capsys.readouterr().out  # this user has had no trials
    make_directory(state_root() / "chaos_mesh")
    assert main(["clean"]) == 0
    assert "removed trial anomod-trial-y from the cluster" in capsys.readouterr().out
    assert mesh.get("PodChaos", name) is None
    there = {one.metadata.name for one in core.list_namespace().items}
    assert name not in there
    assert "shop" in there
    core.delete_namespace("shop")

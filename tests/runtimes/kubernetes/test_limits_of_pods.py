"""Limits of a pod's container by a resize, and faults that need no more than that and programs inside of it."""

from __future__ import annotations

import pytest

from pytest_anomod.faults import CpuContention, MemoryPressure
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model.capability import ControlGroup, Limit
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.runtimes.kubernetes import groups
from pytest_anomod.runtimes.kubernetes.figures import quantity
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

POD = "/api/v1/namespaces/n/pods/cart-a"
REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SYSTEM = System(
    name="shop", services=(Service(name="cart", kind=ServiceKind.APP),), entry="cart", journeys=()
)  # fmt: skip


NONE = 9_223_372_036_854_771_712
"""What version 1 says where there is no limit."""


class Kubelet:
    """Writes limits of the pod to the control group of its container, of version 1, and runs programs in it."""

    def __init__(self, fake):
        self.files = {
            "cpu/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1", "cpuacct/cpuacct.usage": "5",
            "memory/memory.limit_in_bytes": str(NONE), "memory/memory.usage_in_bytes": str(50 << 20),
            "memory/memory.failcnt": "0",
            "memory/memory.oom_control": "oom_kill 0",
        }  # fmt: skip
        self.pod = {
            "spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "10m"}}}]}, "status": {}
        }  # fmt: skip
        self.programs = {}
        self.throttled = self.refaults = 0
        self.writes = True
        fake.answers["GET /api/v1"] = {"resources": [{"name": "pods"}, {"name": "pods/resize"}]}
        fake.answers[REVIEW] = lambda review: {**review, "status": {"allowed": True}}
        fake.answers[f"GET {POD}"] = lambda _: self.pod
        fake.answers[f"PATCH {POD}/resize"] = self.resize

    def resize(self, sent):
        (row,) = sent["spec"]["containers"]
        limits = self.pod["spec"]["containers"][0]["resources"].setdefault("limits", {})
        limits.update(row["resources"]["limits"])
        if self.writes:
            if "cpu" in limits:
                self.files["cpu/cpu.cfs_quota_us"] = str(round(1e5 * quantity(limits["cpu"])))
            if "memory" in limits:
                text = limits["memory"]
                self.files["memory/memory.limit_in_bytes"] = str(1 << 62) if text == "4Ei" else text
        return self.pod

    def ask(self, service, do, **words):
        if do == "group":
            self.throttled += 4
            stat = f"nr_periods 9\nnr_throttled {self.throttled}\nthrottled_time 7"
            self.refaults += 9 * ("filler" in self.programs)
            memory = f"total_inactive_file 0\ntotal_workingset_refault_file {self.refaults}"
            texts = {**self.files, "cpu/cpu.stat": stat, "memory/memory.stat": memory}
            return {name: texts[name] for name in words["files"] if name in texts}
        if do == "run":
            self.programs[words["name"]] = 7
            if words["name"] == "filler":
                self.files["memory/memory.usage_in_bytes"] = self.files["memory/memory.limit_in_bytes"]
        elif do == "end":
            self.programs.pop(words["name"], None)
        return dict(self.programs) if do == "running" else 7


@pytest.fixture
def kubelet(fake, deployment, monkeypatch):
    """The node of the one pod that runs."""
    made = Kubelet(fake)
    monkeypatch.setattr(deployment, "ask", made.ask)
    return made


def test_cpu_contention_is_a_quota_of_the_container(deployment, kubelet):
    """Its burners run inside, the kernel says that it holds them, and nothing that could be reached stays."""
    fault = CpuContention()
    assert NativeInjector().refusal(fault, "cart", SYSTEM, KubernetesRuntime()) == ""
    assert not fault.active(deployment, "cart")
    assert fault.inject(deployment, "cart")["by"] == "quota"
    assert kubelet.files["cpu/cpu.cfs_quota_us"] == "20000"
    look = fault.active(deployment, "cart")
    assert look, look.evidence
    kubelet.programs.clear()
    assert not fault.active(deployment, "cart"), "nobody burns"
    fault.recover(deployment, "cart")
    assert int(kubelet.files["cpu/cpu.cfs_quota_us"]) == 1024 * 100_000
    assert not fault.active(deployment, "cart")


def test_memory_pressure_is_a_limit_that_is_full_while_pages_are_wanted_back(deployment, kubelet):
    """The pod's own group hits the limit, which nothing inside tells: pages that had to be read again do."""
    fault = MemoryPressure()
    done = fault.inject(deployment, "cart")
    assert done["limit_bytes"] == (50 + 64) << 20
    look = fault.active(deployment, "cart")
    assert look, look.evidence
    kubelet.programs.clear()
    assert not fault.active(deployment, "cart"), "it is full, and nobody wants more"
    fault.recover(deployment, "cart")
    assert deployment.capability(ControlGroup, "cart").memory().limit_bytes is None


def test_a_limit_is_put_back_as_the_owner_of_the_pod_had_it(deployment, kubelet):
    """One that was there before ours."""
    kubelet.resize({"spec": {"containers": [{"resources": {"limits": {"memory": "256Mi"}}}]}})
    group = deployment.capability(ControlGroup, "cart")
    before = group.limit(Limit.MEMORY)
    kubelet.files["memory/memory.limit_in_bytes"] = str(256 << 20)
    group.limit_memory(64 << 20)
    assert group.memory().limit_bytes == 64 << 20
    group.put_back(before)
    assert kubelet.pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "256Mi"}


def test_a_kubelet_that_does_not_resize_is_said(deployment, kubelet, monkeypatch):
    """With its own words, as when the node has too little."""
    kubelet.writes = False
    kubelet.pod["status"]["conditions"] = [{"type": "PodResizePending", "message": "Node didn't have enough"}]
    monkeypatch.setattr(groups, "HOLDS_WITHIN_S", 0.2)
    with pytest.raises(DeploymentError, match=r"0\.5 cores to hold for pod cart-a.*PodResizePending: Node didn't have"):
        deployment.capability(ControlGroup, "cart").limit_cpu(50_000, 100_000)


def test_what_a_pod_can_not_have_is_refused_in_a_line(fake, kubelet):
    """At collection: an outcome that another machine's kernel would have to tell, a cluster that can't, a right."""
    runtime, native = KubernetesRuntime(), NativeInjector()
    said = native.refusal(MemoryPressure(outcome="kill"), "cart", SYSTEM, runtime)
    assert said.startswith("fault 'memory_pressure' needs LocalProcess, which runtime 'kubernetes' does not have")
    assert native.refusal(MemoryPressure(), "cart", SYSTEM, runtime) == ""
    assert runtime.refusal_of_fault(SYSTEM, "cart", "memory_pressure") == ""
    groups.refusal.cache_clear()
    fake.answers["GET /api/v1"] = {"resources": [{"name": "pods"}]}
    assert "can't resize pods: Kubernetes 1.33" in runtime.refusal_of_fault(SYSTEM, "cart", "cpu_contention")
    groups.refusal.cache_clear()
    fake.answers["GET /api/v1"] = {"resources": [{"name": "pods/resize"}]}
    fake.answers[REVIEW] = lambda review: {**review, "status": {"allowed": False}}
    assert "we may not patch pods/resize" in runtime.refusal_of_fault(SYSTEM, "cart", "cpu_contention")

"""A NetworkPolicy that cuts a pod of ours off from others of them, where the cluster's network plugin enforces it.

The API server takes policies whatever the plugin is, and many plugins don't look at them (kindnet of old, flannel, the
bridge). So after the first one it is looked from inside whether it holds, which is remembered for a day.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import files
from pytest_anomod.host.kube_rights import allowed
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.runtimes.kubernetes import rights
from pytest_anomod.runtimes.kubernetes.api import SERVICE, path_of
from pytest_anomod.runtimes.kubernetes.objects import labels, named
from pytest_anomod.runtimes.replica_capabilities import OfReplica

if TYPE_CHECKING:
    from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment

KIND = ("networking.k8s.io/v1", "networkpolicies")
FAULT = "network_partition"
ENFORCED_WITHIN_S = 10.0
VALID_S = 24 * 3_600
_PATIENCE_S = 0.5


def refusal_at(where: Mapping[str, Json]) -> str:
    """Why policies are of no use in a cluster; "" when they are, or nobody tried. DeploymentError without an answer."""
    known = files.read_json(_file(where)) or {}
    if known.get("enforced") is False and clock.now_ns() / clock.NS_PER_S - known["at_s"] < VALID_S:
        return "the network plugin of this cluster does not enforce NetworkPolicy, as was seen less than a day ago"
    namespace = str(where["namespace"] or "default")
    if all(allowed(where, namespace, KIND[0].partition("/")[0], KIND[1], verb) for verb in rights.OF_POLICIES):
        return ""
    return "we may not make networkpolicies; `anomod doctor --kubernetes` prints the Role that is needed"


class PodPolicy(OfReplica):
    """One policy for a service at a time, whose pods may talk to all but those peers."""

    deployment: KubernetesDeployment

    def close(self, peers: Mapping[str, str]) -> None:
        """Make the policy, have both sides drop their old connections, and look from inside whether it holds."""
        deployment = self.deployment
        addresses = {peer: (ip, deployment.described(peer)["inner"][1]) for peer, ip in peers.items()}
        pods = deployment.pods()
        ips = {*peers.values(), *(pods[peer]["ip"] for peer in peers if pods.get(peer, {}).get("ip"))}
        deployment.api.create(path_of(*KIND, deployment.namespace), self._policy(peers, ips))
        self._drop_connections(peers)
        try:
            clock.wait_until(
                lambda: not self.reached(addresses, _PATIENCE_S), timeout_s=ENFORCED_WITHIN_S, what="the policy to hold"
            )
        except TimeoutError as error:
            self.open()
            self._learn(enforced=False)
            msg = (
                f"the network plugin of this cluster does not enforce NetworkPolicy: {ENFORCED_WITHIN_S:g} s after one "
                f"was made {self.service!r} still reaches {', '.join(peers)}; take a plugin that does (Calico, Cilium)"
            )
            raise DeploymentError(msg) from error
        self._learn(enforced=True)

    def open(self) -> None:
        self.deployment.api.delete(self._path())
        clock.wait_until(lambda: not self.is_closed(), timeout_s=ENFORCED_WITHIN_S, what="the end of the policy")

    def is_closed(self) -> bool:
        return self.deployment.api.get(self._path()) is not None

    def reached(self, addresses: Mapping[str, tuple[str, int]], patience_s: float) -> frozenset[str]:
        rows = [[name, host, port] for name, (host, port) in addresses.items()]
        found: Any = self.deployment.ask(self.service, "reaches", addresses=rows, patience_s=patience_s)
        return frozenset(found)

    def _path(self) -> str:
        return path_of(*KIND, self.deployment.namespace, self._name)

    @property
    def _name(self) -> str:
        return named(self.deployment.ref, f"anomod-partition-{self.service}")

    def _policy(self, peers: Iterable[str], ips: Iterable[str]) -> dict[str, Any]:
        """A policy has no word for no: all pods but the peers, and all addresses but theirs."""
        but = {"key": SERVICE, "operator": "NotIn", "values": sorted(peers)}
        allowed = [
            {"namespaceSelector": {}, "podSelector": {"matchExpressions": [but]}},
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": [f"{ip}/32" for ip in sorted(ips)]}},
        ]
        ref = self.deployment.ref
        return {
            "metadata": {"name": self._name, "labels": labels(ref, self.service)},
            "spec": {
                "podSelector": {"matchLabels": labels(ref, self.service)},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": allowed}],
                "egress": [{"to": allowed}],
            },
        }

    def _drop_connections(self, peers: Iterable[str]) -> None:
        """Some plugins leave old connections alone: who keeps one has its name hidden for a moment, and closes it."""
        from pytest_anomod.runtimes.kubernetes.capabilities import PodResolver

        pairs = [(self.service, [*peers]), *((peer, [self.service]) for peer in peers)]
        for service, names in pairs:
            has_agent = self.deployment.described(service)["agent_url"] is not None
            if has_agent and instance_of(self.deployment, service).state == "running":
                resolver = PodResolver(self.deployment, service)
                try:
                    resolver.hide(names)
                finally:
                    resolver.hide(())

    def _learn(self, *, enforced: bool) -> None:
        with contextlib.suppress(OSError):  # it will be found out again
            at_s = clock.now_ns() / clock.NS_PER_S
            files.write_json(_file(self.deployment.ref["place"]), {"enforced": enforced, "at_s": at_s})


def _file(where: Mapping[str, Json]) -> Path:
    key = hashlib.sha256(f"{where['kubeconfig']} {where['context']}".encode()).hexdigest()[:16]
    return make_directory(state_root() / "kubernetes") / f"{key}.json"

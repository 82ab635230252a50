"""The runtime for who has a Kubernetes cluster: a pod for each service and store, in a namespace of ours."""

from pytest_anomod.runtimes.kubernetes.runtime import OFFERS, KubernetesRuntime

__all__ = ["OFFERS", "KubernetesRuntime"]

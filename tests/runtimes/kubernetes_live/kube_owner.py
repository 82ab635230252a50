"""Owns manifests in the cluster (its first argument) and the faults named in its second, until it is killed."""

from __future__ import annotations

import sys

from holding import hold

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

hold(KubernetesRuntime(), kubernetes_system(sys.argv[1], name="k8s_owned", entry="web"), sys.argv[2])

"""Known actions, by their module and function, or program: the fault of ours that each is like, and its probe."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Known(NamedTuple):
    """The name of the fault of ours that an action is like, and of the probe of ours that sees it ("" for none)."""

    fault: str
    look: str


RESTARTED, DOWN, REFUSED = "restarted", "down", "refused"
"""Looks: another process (or container) runs than before, or none; the service does not answer; the same."""

_CHAOSK8S, _CHAOSTOXI = "chaosk8s", "chaostoxi"

ACTIONS: Mapping[tuple[str, str], Known] = {
    (f"{_CHAOSK8S}.pod.actions", "terminate_pods"): Known("kill_service", RESTARTED),
    (f"{_CHAOSK8S}.pod.actions", "delete_pods"): Known("kill_service", RESTARTED),
    (f"{_CHAOSK8S}.actions", "kill_microservice"): Known("stop_service", DOWN),
    (f"{_CHAOSK8S}.actions", "remove_service_endpoint"): Known("network_partition", DOWN),
    (f"{_CHAOSK8S}.service.actions", "delete_service"): Known("network_partition", DOWN),
    (f"{_CHAOSK8S}.deployment.actions", "delete_deployment"): Known("stop_service", DOWN),
    (f"{_CHAOSK8S}.deployment.actions", "scale_deployment"): Known("stop_service", DOWN),
    (f"{_CHAOSK8S}.statefulset.actions", "remove_statefulset"): Known("stop_service", DOWN),
    (f"{_CHAOSK8S}.statefulset.actions", "scale_statefulset"): Known("stop_service", DOWN),
    (f"{_CHAOSK8S}.replicaset.actions", "delete_replica_set"): Known("stop_service", DOWN),
    (f"{_CHAOSTOXI}.proxy.actions", "disable_proxy"): Known("network_partition", REFUSED),
    (f"{_CHAOSTOXI}.proxy.actions", "delete_proxy"): Known("network_partition", REFUSED),
    (f"{_CHAOSTOXI}.toxic.actions", "create_latency_toxic"): Known("network_delay", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_bandwith_degradation_toxic"): Known("network_bandwidth", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_timeout_toxic"): Known("network_loss", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_limiter_toxic"): Known("network_loss", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_slow_connection_close_toxic"): Known("network_delay", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_slicer_toxic"): Known("network_bandwidth", ""),
    (f"{_CHAOSTOXI}.toxic.actions", "create_toxic"): Known("network_delay", ""),
}

_LOAD_PROGRAMS = frozenset(
    ("ab", "artillery", "bombardier", "gatling", "hey", "jmeter", "k6", "locust", "siege", "vegeta", "wrk", "wrk2")
)
_LOAD_MODULES = ("chaosk6", "chaoslocust", "chaosgremlin.load", "chaoswrk", "locust")
_ROLL_OUT = re.compile(
    r"\b(?:kubectl\s+(?:\S+\s+)*?(?:rollout|set\s+image|apply|scale)|helm\s+(?:\S+\s+)*?(?:upgrade|rollback|install))\b"
)
_ROLL_OUT_FUNCTIONS = frozenset({"rollout_deployment", "create_deployment", "update_deployment"})


def known(provider: Mapping[str, Any]) -> Known | None:
    """What is known of an action by its provider; None for an action that we do not know."""
    if provider.get("type") != "python":
        return None
    return ACTIONS.get((str(provider.get("module")), str(provider.get("func"))))


def kind_of(provider: Mapping[str, Any]) -> str:
    """What an action is: the name of a fault of ours, "load", "roll-out", or "" for what we do not know."""
    fault = known(provider)
    if fault is not None:
        return fault.fault
    if provider.get("type") == "python":
        module, function = str(provider.get("module")), str(provider.get("func"))
        if module.startswith(_LOAD_MODULES):
            return "load"
        return "roll-out" if function in _ROLL_OUT_FUNCTIONS else ""
    if provider.get("type") == "process":
        program = os.path.basename(str(provider.get("path") or ""))
        arguments = provider.get("arguments")
        words = arguments.items() if isinstance(arguments, dict) else arguments
        flat = words if isinstance(words, str) else " ".join(_flat(words))
        if program in _LOAD_PROGRAMS:
            return "load"
        return "roll-out" if _ROLL_OUT.search(f"{program} {flat}") else ""
    return ""


def _flat(words: Any) -> list[str]:
    found: list[str] = []
    for word in words or ():
        found += _flat(word) if isinstance(word, list | tuple) else [str(word)]
    return found

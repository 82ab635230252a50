"""A scenario as a ChaosEngine of Litmus, with the environment that tunes its experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.errors import ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.model.scenario import Scenario

Env = dict[str, Any]
Lost = list[str]


def write(scenario: Scenario, lost: Lost, *, namespace: str, label: str) -> str:
    """The YAML of the engine; ScenarioError when Litmus has nothing like the fault."""
    import yaml

    if scenario.fault.name not in _EXPERIMENTS:
        what = "a control: nothing is put in" if scenario.is_control else f"{scenario.fault!r}"
        msg = f"Litmus has nothing like {what}"
        raise ScenarioError(msg)
    experiment, tuned = _EXPERIMENTS[scenario.fault.name](scenario.fault, lost)
    env = {"TOTAL_CHAOS_DURATION": f"{scenario.durations.anomaly_s:g}", **tuned}
    components = {"env": [{"name": name, "value": str(value)} for name, value in env.items()]}
    engine = {
        "apiVersion": "litmuschaos.io/v1alpha1",
        "kind": "ChaosEngine",
        "metadata": {"name": scenario.name.replace("_", "-").lower(), "namespace": namespace},
        "spec": {
            "engineState": "active",
            "appinfo": {"appns": namespace, "applabel": f"{label}={scenario.target}", "appkind": "deployment"},
            "chaosServiceAccount": "litmus-admin",
            "experiments": [{"name": experiment, "spec": {"components": components}}],
        },
    }
    if getattr(scenario.fault, "off_s", 0):
        lost.append("that it comes and goes: there it stays for the whole duration")
    lost.append("the service account: litmus-admin stands there; write the one that your experiments have")
    return yaml.safe_dump(engine, sort_keys=False)


def _delay(fault: Any, lost: Lost) -> tuple[str, Env]:
    # there only what is sent is delayed, here both ways: the same round trip
    return "pod-network-latency", {
        "NETWORK_LATENCY": f"{2 * fault.delay_ms:.0f}",
        "JITTER": f"{2 * fault.jitter_ms:.0f}",
    }


def _loss(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("loss of what comes in: there only what the pod sends is lost")
    return "pod-network-loss", {"NETWORK_PACKET_LOSS_PERCENTAGE": f"{fault.percent:.0f}"}


def _bandwidth(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("the limit of what comes in: there only of what the pod sends")
    return "pod-network-rate-limit", {"NETWORK_BANDWIDTH": f"{fault.rate_kbit:.0f}kbit"}


def _partition(fault: Any, lost: Lost) -> tuple[str, Env]:
    if fault.how != "drop":
        lost.append("the refusal: packets vanish there")
    return "pod-network-partition", {"DESTINATION_HOSTS": ",".join(fault.peers)}


def _dns(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("open connections: there they go on")
    names = "[" + ",".join(f'"{peer}"' for peer in fault.peers) + "]"
    return "pod-dns-error", {"TARGET_HOSTNAMES": names, "MATCH_SCHEME": "substring"}


def _which(fault: Any, lost: Lost) -> Env:
    if fault.path != "/" or fault.method:
        lost.append(f"the choice of requests ({fault.method or 'any method'} {fault.path}): there it is all of them")
    if fault.header:
        lost.append(f"the header {fault.header!r}: there it is all requests")
    if fault.percent < 100:
        lost.append(f"the share: {fault.percent:g} % of the connections there, and not of the requests")
    lost.append("the port: TARGET_SERVICE_PORT is Litmus's 80; add the pod's own")
    return {"TOXICITY": f"{fault.percent:.0f}"}


def _abort(fault: Any, lost: Lost) -> tuple[str, Env]:
    return "pod-http-status-code", {"STATUS_CODE": fault.status, "MODIFY_RESPONSE_BODY": "true", **_which(fault, lost)}


def _hold(fault: Any, lost: Lost) -> tuple[str, Env]:
    return "pod-http-latency", {"LATENCY": f"{fault.delay_ms:.0f}", **_which(fault, lost)}


def _kill(fault: Any, lost: Lost) -> tuple[str, Env]:
    if fault.once:
        lost.append("that it is one kill: Litmus kills every CHAOS_INTERVAL, so that stands for the whole duration")
    elif fault.period_s < 1:
        lost.append(f"the pace: every {fault.period_s:g} s here, every second there")
    interval = "3600" if fault.once else f"{max(1, fault.period_s):.0f}"
    return "pod-delete", {"CHAOS_INTERVAL": interval, "FORCE": "true"}


def _cpu(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("the budget: the load hurts only where the pod has a CPU limit")
    return "pod-cpu-hog", {"CPU_CORES": fault.burners, "CPU_LOAD": 100}


def _memory(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("the limit: the pod's own is what there is; write how much shall be taken")
    return "pod-memory-hog", {"MEMORY_CONSUMPTION": f"{fault.spare_mb:.0f}", "NUMBER_OF_WORKERS": 1}


def _disk(fault: Any, lost: Lost) -> tuple[str, Env]:
    lost.append("the wait for the disk: how much a service there waits for it is its own affair")
    return "pod-io-stress", {"FILESYSTEM_UTILIZATION_BYTES": 1, "NUMBER_OF_WORKERS": min(fault.writers, 8)}


_EXPERIMENTS: dict[str, Callable[[Any, Lost], tuple[str, Env]]] = {
    "network_delay": _delay,
    "network_loss": _loss,
    "network_bandwidth": _bandwidth,
    "network_partition": _partition,
    "dns_failure": _dns,
    "http_abort": _abort,
    "http_delay": _hold,
    "kill_service": _kill,
    "cpu_contention": _cpu,
    "memory_pressure": _memory,
    "disk_stress": _disk,
}

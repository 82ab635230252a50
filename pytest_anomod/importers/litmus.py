"""Litmus: the experiments of a ChaosEngine, by the environment variables that tune them."""

from __future__ import annotations

from collections.abc import Callable

from pytest_anomod.faults import (
    CpuContention,
    DiskStress,
    DnsFailure,
    HttpAbort,
    HttpDelay,
    KillService,
    MemoryPressure,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
)
from pytest_anomod.importers import litmus_probes
from pytest_anomod.importers.found import Aims, Experiment, Reading, Refused, labelled
from pytest_anomod.importers.lines import Lined
from pytest_anomod.importers.units import kbit_per_s, neat, number, percent
from pytest_anomod.model.fault import Fault

GROUP = "litmuschaos.io/"
_COMMON_WORDS = """
TOTAL_CHAOS_DURATION RAMP_TIME LIB LIB_IMAGE LIB_IMAGE_PULL_POLICY TC_IMAGE STRESS_IMAGE CONTAINER_RUNTIME
SOCKET_PATH CONTAINER_PATH SEQUENCE STATUS_CHECK_DELAY STATUS_CHECK_TIMEOUT DEFAULT_HEALTH_CHECK NETWORK_INTERFACE
TARGET_SERVICE_PORT PROXY_PORT TERMINATION_GRACE_PERIOD_SECONDS SET_HELPER_DATA INSTANCE_ID FORCE RANDOMNESS
APP_NAMESPACE APP_LABEL APP_KIND CHAOS_NAMESPACE BURST LIMIT MIN_BURST PEAK_RATE CHAOS_TYPE NUMBER_OF_WORKERS
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Variables that say how Litmus does it, and nothing of what is done to the target."""
_MACHINES = ("node-", "ec2-", "ebs-", "aws-", "gcp-", "azure-", "vm-", "docker-service-", "kubelet-service-")
Env = dict[str, Lined]


def read(document: Lined, aims: Aims) -> list[Experiment]:
    """The experiments of one manifest."""
    kind, name = document.text("kind"), document.text("metadata", "name")
    document.skip("apiVersion", "kind", "metadata", "status")
    if kind == "ChaosEngine":
        spec = document.get("spec")
        return [_experiment(one, spec, name, aims) for one in spec.get("experiments").elements()] or [
            _refusal(document, name, "experiments", "the engine names none")
        ]
    if kind == "ChaosSchedule":
        return _scheduled(document, name, aims)
    why = {
        "ChaosExperiment": "it defines an experiment; a ChaosEngine says what it is done to: import that",
        "ChaosResult": "it is the result of a run; import the ChaosEngine",
    }
    return [_refusal(document, name, kind, why.get(kind, "no kind of Litmus that is known here"))]


def _refusal(document: Lined, name: str, key: str, why: str) -> Experiment:
    experiment = Experiment(title=f"{document.text('kind')} {name}".strip(), name=name, line=document.line)
    Reading(experiment, Aims()).refused(document, key, why)
    return experiment


def _scheduled(document: Lined, name: str, aims: Aims) -> list[Experiment]:
    """A ChaosSchedule holds the spec of an engine."""
    spec = document.get("spec", "engineTemplateSpec")
    found = [_experiment(one, spec, name, aims) for one in spec.get("experiments").elements()]
    for one in found:
        Reading(one, aims).partly(document.get("spec", "schedule"), "schedule", "repeat it with your CI's clock")
    return found or [_refusal(document, name, "engineTemplateSpec", "names no experiments")]


def _experiment(part: Lined, engine: Lined, engine_name: str, aims: Aims) -> Experiment:
    kind = part.text("name")
    experiment = Experiment(title=f"ChaosEngine {engine_name}: {kind}", name=f"{engine_name} {kind}", line=part.line)
    reading = Reading(experiment, aims)
    try:
        if engine.text("engineState") == "stop":
            where = engine.get("engineState")
            reading.partly(
                where, "engineState", "stopped there; here a test that is skipped until you take the mark away"
            )
            reading.skip = "engineState: stop"
        if kind.startswith(_MACHINES):
            raise reading.refusal(
                part.get("name"), kind, "it is done to a machine: faults here stay within one service"
            )
        if kind not in EXPERIMENTS:
            raise reading.refusal(
                part.get("name"), kind, f"no fault here is like it; known are {', '.join(sorted(EXPERIMENTS))}"
            )
        target = _target(engine, reading)
        env = _env(part.get("spec", "components", "env"), reading)
        _shared(env, reading, target)
        reading.expects = litmus_probes.read(part.get("spec", "probe"), reading)
        for fault in EXPERIMENTS[kind](env, reading, part):
            reading.plan(part, fault, target)
        known = {*_COMMON, "TARGET_CONTAINER", "TARGET_PODS", "PODS_AFFECTED_PERC", *_TUNED.get(kind, ())}
        for key, value in env.items():
            if key not in known:
                reading.partly(value, key, "nothing here is like it: it is left out")
    except Refused:
        experiment.planned.clear()
    return experiment


def _target(engine: Lined, reading: Reading) -> str:
    """By the label of appinfo, or by a selector's workloads (Litmus 3)."""
    label = engine.get("appinfo", "applabel")
    if text := reading.filled_in(label, "applabel"):
        key, sign, value = text.partition("=")
        if not sign:
            raise reading.refusal(label, "applabel", f"{text!r} is no key=value")
        return labelled({key: Lined(value, label.line)}, reading, label)
    for workload in engine.get("selectors", "workloads").elements():
        for field in ("names", "labels"):
            if text := workload.text(field):
                name = text.split(",")[0].rpartition("=")[2]
                if service := reading.aims.service(name):
                    return service
                raise reading.refusal(workload.get(field), field, reading.aims.why_none(name))
    raise reading.refusal(engine, "appinfo.applabel", "says no app: which service is it?")


def _env(where: Lined, reading: Reading) -> Env:
    found: Env = {}
    for one in where.elements():
        name, value = one.text("name"), one.get("value")
        if one.get("valueFrom"):
            raise reading.refusal(one, name, "its value is in a ConfigMap or a Secret; write it here")
        if name in found:
            raise reading.refusal(one, name, f"stands here and on line {found[name].line}; which one counts?")
        found[name] = Lined(value.word, value.line)
    return found


def _shared(env: Env, reading: Reading, target: str) -> None:
    if duration := env.get("TOTAL_CHAOS_DURATION"):
        why = f"{duration.value} s there; the window here is that of --anomod-durations"
        reading.does(duration, "TOTAL_CHAOS_DURATION", why)
    share = env.get("PODS_AFFECTED_PERC")
    if share and percent(share.value) not in (None, 0, 100):
        why = f"{share.value} % of the pods and not of requests; a service here has one instance, which is hit"
        reading.partly(share, "PODS_AFFECTED_PERC", why)
    container = env.get("TARGET_CONTAINER")
    if container and container.value not in ("", target):
        why = f"{container.value!r}: a service here is one container, which it is taken for"
        reading.partly(container, "TARGET_CONTAINER", why)
    ramp = env.get("RAMP_TIME")
    if ramp and number(ramp.value):
        reading.does(ramp, "RAMP_TIME", "a wait before and after; here baseline and recovery are")


def _read(
    env: Env, name: str, default: str, reader: Callable[[str], float | None], reading: Reading
) -> tuple[Lined, float]:
    """A tuned number and where it stands; Litmus has `default` where it is absent or empty."""
    where = env.get(name)
    if where is None or where.value == "":
        line = reading.experiment.line
        reading.does(line, name, f"not said: Litmus has {default}")
        where = Lined(default, line)
    return where, reading.value(where, name, reader, "no number that it may be")


def _kill(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    usual = "5" if part.text("name") == "pod-delete" else "10"
    where, interval_s = _read(env, "CHAOS_INTERVAL", usual, _middle, reading)
    if "-" in where.word or (env.get("RANDOMNESS") and env["RANDOMNESS"].word == "true"):
        reading.partly(where, "CHAOS_INTERVAL", f"drawn anew each time there; here always {interval_s:g} s")
    if env.get("FORCE") and env["FORCE"].word == "false":
        reading.partly(env["FORCE"], "FORCE", "ended in order there; here SIGKILL at once")
    if (signal := env.get("SIGNAL")) and signal.word not in ("", "SIGKILL", "9"):
        reading.partly(signal, "SIGNAL", f"{signal.word} there; here SIGKILL")
    return [reading.make(where, KillService, period_s=neat(interval_s))]


def _middle(text: str) -> float | None:
    """A number, or the middle of a range such as 5-10."""
    low, _, high = text.partition("-")
    ends = number(low), number(high or low)
    return None if ends[0] is None or ends[1] is None else (ends[0] + ends[1]) / 2


def _latency(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    _destinations(env, reading)
    where, latency_ms = _read(env, "NETWORK_LATENCY", "2000", number, reading)
    jitter = number(env["JITTER"].value) if env.get("JITTER") else 0
    half = latency_ms / 2
    why = f"{latency_ms:g} ms on what is sent there; here {half:g} ms each way: the same round trip"
    reading.does(where, "NETWORK_LATENCY", why)
    jitters = {"jitter_ms": neat(min(jitter / 2, half))} if jitter else {}
    return [reading.make(where, NetworkDelay, delay_ms=neat(half), **jitters)]


def _loss(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    _destinations(env, reading)
    where, share = _read(env, "NETWORK_PACKET_LOSS_PERCENTAGE", "100", percent, reading)
    if share > 95:
        why = "all packets lost is no NetworkLoss (95 % at most): take PauseService, or NetworkPartition for some peers"
        raise reading.refusal(where, "NETWORK_PACKET_LOSS_PERCENTAGE", why)
    reading.partly(where, "NETWORK_PACKET_LOSS_PERCENTAGE", "of what is sent there; here of what comes in as well")
    return [reading.make(where, NetworkLoss, percent=neat(share))]


def _rate(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    _destinations(env, reading)
    where, rate = _read(env, "NETWORK_BANDWIDTH", "1mbit", kbit_per_s, reading)
    reading.partly(where, "NETWORK_BANDWIDTH", "of what is sent there; here each way")
    return [reading.make(where, NetworkBandwidth, rate_kbit=neat(rate))]


def _destinations(env: Env, reading: Reading) -> None:
    for key in ("DESTINATION_IPS", "DESTINATION_HOSTS"):
        if (where := env.get(key)) and where.value:
            reading.partly(where, key, "only what goes there; here all that comes to the target")


def _hosts(env: Env, key: str, reading: Reading) -> tuple[Lined, tuple[str, ...]]:
    """The services that a list of host names names: a text with commas, or a list in brackets."""
    where = env.get(key) or Lined("", reading.experiment.line)
    names = [name.strip(" []\"'") for name in (where.word).split(",") if name.strip(" []\"'")]
    found = []
    for name in names:
        service = reading.aims.of_pod(name)
        if service:
            found.append(service)
        else:
            reading.partly(where, key, f"{reading.aims.why_none(name)}: it is left out")
    if not found:
        raise reading.refusal(where, key, "names no service of the system")
    return where, tuple(dict.fromkeys(found))


def _partition(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    if not any(env.get(key) and env[key].value for key in ("DESTINATION_HOSTS", "DESTINATION_IPS")):
        raise reading.refusal(
            part, "DESTINATION_HOSTS", "from everybody: take StopService (refused) or PauseService (no answer)"
        )
    where, peers = _hosts(env, "DESTINATION_HOSTS", reading)
    return [reading.make(where, NetworkPartition, peers=peers)]


def _dns(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    where, peers = _hosts(env, "TARGET_HOSTNAMES", reading)
    scheme = env.get("MATCH_SCHEME")
    if scheme and scheme.value == "substring":
        reading.partly(scheme, "MATCH_SCHEME", "every name that has it in it there; here the services of that name")
    return [reading.make(where, DnsFailure, peers=peers)]


def _toxicity(env: Env, reading: Reading) -> float:
    """The share of requests, which Litmus has as Toxiproxy has it: of connections."""
    where = env.get("TOXICITY")
    if where is None or not where.word:
        return 100
    share = reading.value(where, "TOXICITY", percent, "no percentage")
    if share == 0:
        raise reading.refusal(where, "TOXICITY", "0 %: nothing would be hit")
    if share < 100:
        reading.partly(where, "TOXICITY", f"{share:g} % of the connections there; here of the requests")
    return share


def _http_status(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    where = env.get("STATUS_CODE") or Lined("", part.line)
    codes = [code.strip() for code in where.word.split(",") if code.strip()]
    if len(codes) != 1:
        said = where.word or "not said"
        reading.partly(where, "STATUS_CODE", f"{said}: drawn anew each time there; here the first of 500 and above")
        codes = [*(code for code in codes if code >= "500"), "503"]
    status = reading.value(Lined(codes[0], where.line), "STATUS_CODE", number, "no status")
    which = {"percent": neat(_toxicity(env, reading)), "method": "", "path": "/"}
    return [reading.make(where, HttpAbort, status=int(status), **which)]


def _http_reset(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    share = _toxicity(env, reading)
    reading.partly(part, "pod-http-reset-peer", "the connection is reset there; here 503 is answered")
    return [reading.make(part, HttpAbort, percent=neat(share), method="", path="/")]


def _http_latency(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    where, latency_ms = _read(env, "LATENCY", "2000", number, reading)
    share = _toxicity(env, reading)
    return [reading.make(where, HttpDelay, delay_ms=neat(latency_ms), percent=neat(share), method="", path="/")]


def _cpu(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    from pytest_anomod.importers.chaos_mesh_faults import CPU_SHARE

    where, cores = _read(env, "CPU_CORES", "1", number, reading)
    fault = CpuContention(burners=max(1, min(8, int(cores))))
    reading.partly(where, "CPU_CORES", CPU_SHARE.format(f"{fault.duty_ms:g}"))
    return [fault]


def _memory(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    from pytest_anomod.importers.chaos_mesh_faults import MEMORY_SPARE

    where, size = _read(env, "MEMORY_CONSUMPTION", "500", number, reading)
    reading.partly(where, f"MEMORY_CONSUMPTION, {size:g} MB", MEMORY_SPARE.format(f"{MemoryPressure().spare_mb:g}"))
    return [MemoryPressure()]


def _disk(env: Env, reading: Reading, part: Lined) -> list[Fault]:
    reading.partly(
        part, "pod-io-stress", "a disk kept busy there; here the target waits for it at each commit or write"
    )
    return [DiskStress()]


_NETWORK = ("DESTINATION_IPS", "DESTINATION_HOSTS")
_TUNED: dict[str, tuple[str, ...]] = {
    "pod-delete": ("CHAOS_INTERVAL", "KILL_COUNT"),
    "container-kill": ("CHAOS_INTERVAL", "SIGNAL"),
    "pod-network-latency": ("NETWORK_LATENCY", "JITTER", *_NETWORK),
    "pod-network-loss": ("NETWORK_PACKET_LOSS_PERCENTAGE", *_NETWORK),
    "pod-network-rate-limit": ("NETWORK_BANDWIDTH", *_NETWORK),
    "pod-network-partition": ("POLICY_TYPES", *_NETWORK),
    "pod-dns-error": ("TARGET_HOSTNAMES", "MATCH_SCHEME"),
    "pod-http-status-code": ("STATUS_CODE", "TOXICITY", "MODIFY_RESPONSE_BODY"),
    "pod-http-latency": ("LATENCY", "TOXICITY"),
    "pod-http-reset-peer": ("RESET_TIMEOUT", "TOXICITY"),
    "pod-cpu-hog": ("CPU_CORES", "CPU_LOAD"),
    "pod-memory-hog": ("MEMORY_CONSUMPTION",),
    "pod-io-stress": ("FILESYSTEM_UTILIZATION_PERCENTAGE", "FILESYSTEM_UTILIZATION_BYTES", "VOLUME_MOUNT_PATH"),
}
EXPERIMENTS: dict[str, Callable[[Env, Reading, Lined], list[Fault]]] = {
    "pod-delete": _kill,
    "container-kill": _kill,
    "pod-network-latency": _latency,
    "pod-network-loss": _loss,
    "pod-network-rate-limit": _rate,
    "pod-network-partition": _partition,
    "pod-dns-error": _dns,
    "pod-http-status-code": _http_status,
    "pod-http-latency": _http_latency,
    "pod-http-reset-peer": _http_reset,
    "pod-cpu-hog": _cpu,
    "pod-memory-hog": _memory,
    "pod-io-stress": _disk,
}
"""The experiments of Litmus that have a like here."""

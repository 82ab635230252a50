"""Chaos Mesh, kind by kind: the spec of a manifest becomes faults of ours, and what differs is said."""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Callable

from pytest_anomod.faults import (
    CpuContention,
    DatabaseMemoryLimit,
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
    StopService,
)
from pytest_anomod.faults._relay import RelayedFault
from pytest_anomod.importers.found import Reading, Refused
from pytest_anomod.importers.lines import Lined
from pytest_anomod.importers.units import kbit_per_s, neat, number, percent, seconds
from pytest_anomod.model.fault import Fault

Aimed = list[tuple[Fault, str]]
"""Faults, each with the service it is put into."""
CPU_SHARE = "cores are loaded, which hurts where the pod has a CPU limit; here target and load share {} ms of every 100"
MEMORY_SPARE = "there so much is taken, whatever is left; here all but {} MiB of what the container may use"


def repeated(fault: Fault, period_s: float | None, reading: Reading, spec: Lined) -> Fault:
    """A fault that a schedule repeats within a window, if it is one of ours; else as it is.

    That is a kill at least once a minute, and what a relay does for up to 10 s with pauses of up to 10 s.
    """
    if not period_s:
        return fault
    if isinstance(fault, KillService) and 0.1 <= period_s <= 60:
        return reading.make(spec, KillService, period_s=neat(period_s))
    on_s = seconds(spec.text("duration")) or 0
    if isinstance(fault, RelayedFault) and 0.5 <= on_s <= 10 and 0 < period_s - on_s <= 10:
        return reading.change(fault, on_s=neat(on_s), off_s=neat(period_s - on_s))
    return fault


def is_repeated(fault: Fault) -> bool:
    """Whether it comes and goes within the window."""
    return (isinstance(fault, KillService) and not fault.once) or bool(getattr(fault, "off_s", 0))


def pod(spec: Lined, reading: Reading, target: str) -> Aimed:
    """pod-kill and container-kill are one kill, pod-failure lasts."""
    action, grace = spec.get("action"), spec.get("gracePeriod")
    if grace and number(grace.word) != 0:
        reading.partly(grace, "gracePeriod", f"{grace.value} s to end in order there; here SIGKILL at once")
    if action.value in ("pod-kill", "container-kill"):
        return [(KillService(once=True), target)]
    if action.value == "pod-failure":
        reading.does(action, "pod-failure", "its container is stopped, init containers are not started either")
        return [(StopService(), target)]
    raise _unknown_action(action, reading, "pod-kill, container-kill, pod-failure")


def network(spec: Lined, reading: Reading, target: str) -> Aimed:
    """What happens to packets; with a `target` of its own, to those between two services."""
    action = spec.text("action")
    if spec.get("externalTargets"):
        raise reading.refusal(spec.get("externalTargets"), "externalTargets", "addresses outside of the system")
    peers = _peers(spec, reading)
    if action == "partition":
        return _partition(spec, reading, target, peers)
    wanted = [action] if action != "netem" else [key for key in ("delay", "loss", "rate") if spec.get(key)]
    found = [_NETWORK[key](spec, reading, bool(peers)) for key in wanted if key in _NETWORK]
    for key in ("duplicate", "corrupt"):
        if action == key or (action == "netem" and spec.get(key)):
            why = f"no fault here makes packets {key}d".replace("corruptd", "corrupt") + "; the nearest is NetworkLoss"
            if not found:
                raise reading.refusal(spec.get(key), key, why)
            reading.refused(spec.get(key), key, why)
    if not found:
        raise _unknown_action(spec.get("action"), reading, "delay, loss, bandwidth, partition, netem")
    if len(found) > 1:
        reading.partly(spec.get("action"), "netem", f"{len(found)} things at once there; here a test each")
    if any(isinstance(fault, NetworkDelay | NetworkBandwidth) for fault in found):
        why = "they go on there; here they are ended, and come again through a relay that does it"
        reading.does(spec, "existing connections", why)
    places = _places(spec, reading, target, peers)
    return [(fault, place) for fault in found for place in places]


def _peers(spec: Lined, reading: Reading) -> list[str]:
    from pytest_anomod.importers.chaos_mesh import select

    other = spec.get("target")
    other.skip("mode", "value")
    return select(other.get("selector"), reading, "target.selector") if other else []


def _places(spec: Lined, reading: Reading, target: str, peers: list[str]) -> list[str]:
    """Where the way between target and peers is met: at whom of them the other calls."""
    if not peers:
        return [target]
    aims, where = reading.aims, spec.get("target")
    called = [peer for peer in peers if peer in aims.calls(target)]
    places = called or [target]
    for place in places:
        ends = {target} if called else set(peers)
        others = [one for one in aims.callers(place) if one not in ends]
        if others:
            names = ", ".join(others[:2]) + (f" and {len(others) - 2} more" if len(others) > 2 else "")
            reading.partly(where, "target", f"here on the way into {place}, so {names} meet it as well")
    return places


def _both_ways(spec: Lined, has_peers: bool) -> bool:
    return has_peers and spec.text("direction") == "both"


def _correlation(where: Lined, key: str, reading: Reading) -> None:
    if number(where.word or "0") != 0:
        reading.partly(where, f"{key}.correlation", f"{where.value} %: here each packet is drawn for itself")


def _delay(spec: Lined, reading: Reading, has_peers: bool) -> Fault:
    """A round trip must take as much longer as there: half of it each way, unless both ends are delayed there."""
    part = spec.get("delay")
    latency = part.get("latency")
    latency_s = reading.value(latency, "delay.latency", seconds, "no duration such as 100ms")
    jitter = part.get("jitter")
    jitter_s = reading.value(jitter, "delay.jitter", seconds, "no duration such as 10ms") if jitter else 0.0
    _correlation(part.get("correlation"), "delay", reading)
    if part.get("reorder"):
        reading.partly(
            part.get("reorder"), "delay.reorder", "TCP puts packets back into order, and so does nobody here"
        )
    share = 1.0 if _both_ways(spec, has_peers) else 0.5
    if share == 0.5:
        each = f"{neat(500 * latency_s)} ms each way"
        reading.does(
            latency, "delay.latency", f"{latency.value} on what is sent there; here {each}: the same round trip"
        )
    delay_ms = neat(1e3 * share * latency_s)
    jitters = {"jitter_ms": neat(min(1e3 * share * jitter_s, delay_ms))} if jitter_s else {}
    return reading.make(latency, NetworkDelay, delay_ms=delay_ms, **jitters)


def _loss(spec: Lined, reading: Reading, has_peers: bool) -> Fault:
    part = spec.get("loss")
    share = reading.value(part.get("loss"), "loss.loss", percent, "no percentage")
    _correlation(part.get("correlation"), "loss", reading)
    if share > 95:
        why = "all packets lost is no NetworkLoss (95 % at most): take PauseService, or NetworkPartition for some peers"
        raise reading.refusal(part.get("loss"), "loss.loss", why)
    if not _both_ways(spec, has_peers):
        reading.partly(part.get("loss"), "loss.loss", "of what is sent there; here of what comes in as well")
    return reading.make(part.get("loss"), NetworkLoss, percent=neat(share))


def _bandwidth(spec: Lined, reading: Reading, has_peers: bool) -> Fault:
    part = spec.get("bandwidth") or spec.get("rate")
    part.skip("limit", "buffer", "peakrate", "minburst")
    rate = reading.value(part.get("rate"), "rate", kbit_per_s, "no rate such as 1mbps")
    if not _both_ways(spec, has_peers):
        reading.partly(part.get("rate"), "rate", "of what is sent there; here each way")
    return reading.make(part.get("rate"), NetworkBandwidth, rate_kbit=neat(rate))


_NETWORK: dict[str, Callable[[Lined, Reading, bool], Fault]] = {
    "delay": _delay,
    "loss": _loss,
    "bandwidth": _bandwidth,
    "rate": _bandwidth,
}


def _partition(spec: Lined, reading: Reading, target: str, peers: list[str]) -> Aimed:
    if not peers:
        why = "from everybody: take StopService (refused) or PauseService (no answer)"
        raise reading.refusal(spec.get("action"), "partition", why)
    if spec.text("direction") != "both":
        why = "one direction there; here both, which is the same for whoever speaks TCP"
        reading.does(spec.get("direction"), "direction", why)
    return [(reading.make(spec.get("target"), NetworkPartition, peers=tuple(peers)), target)]


def stress(spec: Lined, reading: Reading, target: str) -> Aimed:
    """CPU and memory are a test each; stress-ng's own arguments are looked at for what they stress."""
    found: list[Fault] = []
    cpu, memory = spec.get("stressors", "cpu"), spec.get("stressors", "memory")
    raw = spec.get("stressngStressors")
    if cpu and not raw:
        found.append(_cpu(cpu, cpu.text("workers"), reading))
        cpu.skip("load", "options")
    if memory and not raw:
        found.append(_memory(memory, memory.text("size"), reading, target))
        memory.skip("workers", "oomScoreAdj", "options")
    if raw:
        spec.skip("stressors")
        found += _stress_ng(raw, reading, target)
    if not found:
        raise reading.refusal(spec, "stressors", "stresses nothing")
    if len(found) > 1:
        reading.partly(spec.get("stressors"), "stressors", f"{len(found)} at once there; here a test each")
    return [(fault, target) for fault in found]


def _cpu(where: Lined, workers: str, reading: Reading) -> Fault:
    count = int(number(workers) or 1)
    if count > 8:
        reading.partly(where, "cpu.workers", f"{count} there; here 8, which share the same budget")
    fault = CpuContention(burners=max(1, min(count, 8)))
    reading.partly(where, "cpu", CPU_SHARE.format(f"{fault.duty_ms:g}"))
    return fault


def _memory(where: Lined, size: str, reading: Reading, target: str) -> Fault:
    """Of a PostgreSQL what its sessions may use, which needs no container; of anything else its container's."""
    key = f"memory, size {size or 'not said'}"
    if reading.aims.engine(target) == "postgresql":
        left = 100 - (percent(size) or 0 if size.endswith("%") else 0)
        said = {"percent_of_used": neat(left)} if 5 <= left <= 95 else {}
        fault = reading.make(where, DatabaseMemoryLimit, **said)
        why = f"taken from the pod there; here a session gets {fault.percent_of_used:g} % of the memory it had used"
        reading.partly(where, key, why)
        return fault
    pressure = MemoryPressure()
    reading.partly(where, key, MEMORY_SPARE.format(f"{pressure.spare_mb:g}"))
    return pressure


def _stress_ng(raw: Lined, reading: Reading, target: str) -> list[Fault]:
    try:
        words = shlex.split(raw.word)
    except ValueError as error:
        raise reading.refusal(raw, "stressngStressors", f"can't be read: {error}") from None
    after = dict(zip(words, [*words[1:], ""], strict=False))
    found: list[Fault] = []
    if "--cpu" in after:
        found.append(_cpu(raw, after["--cpu"], reading))
    if "--vm" in after:
        found.append(_memory(raw, after.get("--vm-bytes", ""), reading, target))
    if any(word in after for word in ("--iomix", "--hdd", "--io")):
        why = "stress-ng writes to the disk of Chaos Mesh's own daemon; here the target waits for its own busy disk"
        reading.partly(raw, "stressngStressors", why)
        found.append(DiskStress())
    if not found:
        raise reading.refusal(raw, "stressngStressors", f"nothing here is like {raw.value!r}")
    return found


def disk(spec: Lined, reading: Reading, target: str) -> Aimed:
    """A delay of each call becomes a busy disk; errors and wrong content have no like."""
    action = spec.get("action")
    if action.value in ("fault", "attrOverride", "mistake"):
        raise reading.refusal(
            action, "action", f"{action.value}: no fault here has a disk say what is wrong, only late"
        )
    if action.value != "latency":
        raise _unknown_action(action, reading, "latency")
    delay = spec.get("delay")
    delay_s = reading.value(delay, "delay", seconds, "no duration such as 10ms")
    why = "there each call of the file system waits; here each commit or write that waits for the disk"
    reading.partly(delay, "delay", why)
    spec.skip("volumePath", "path", "containerName")
    if (share := spec.get("percent")) and percent(share.word) != 100:
        reading.partly(share, "percent", f"{share.value} % of the calls there; here every one that goes to disk")
    if spec.get("methods"):
        reading.partly(spec.get("methods"), "methods", "here what writes, and no other")
    return [(reading.make(delay, DiskStress, stall_ms=neat(1e3 * delay_s)), target)]


def dns(spec: Lined, reading: Reading, target: str) -> Aimed:
    """Patterns of names become the services they match."""
    action, patterns = spec.get("action"), spec.get("patterns")
    if action.value == "random":
        reading.partly(action, "action", "random addresses there; here the names don't exist")
    elif action.value != "error":
        raise _unknown_action(action, reading, "error, random")
    peers = _matched(patterns, reading, target)
    why = "here the connections that are open to them are ended too; there they go on"
    reading.does(patterns or spec, "existing connections", why)
    return [(reading.make(patterns, DnsFailure, peers=tuple(peers)), target)]


def _matched(patterns: Lined, reading: Reading, target: str) -> list[str]:
    aims = reading.aims
    if not patterns.elements():
        reading.partly(patterns, "patterns", "none there: every name; here those of the services it calls")
        if not aims.calls(target):
            raise reading.refusal(patterns, "patterns", f"{target} calls nobody that is known")
        return list(aims.calls(target))
    found: list[str] = []
    for one in patterns.elements():
        name = reading.filled_in(one, "patterns")
        bare = name.split(".")[0]
        if aims.system is None:
            found.append(bare.rstrip("*?"))
            continue
        hits = [service.name for service in aims.system.services if fnmatch.fnmatchcase(service.name, bare)]
        if not hits:
            reading.partly(one, "patterns", f"{name!r} matches no service of {aims.system.name!r}: it is left out")
        found += hits
    unique = [name for name in dict.fromkeys(found) if name != target]
    if not unique:
        raise reading.refusal(patterns, "patterns", "match no other service")
    return unique


def http(spec: Lined, reading: Reading, target: str) -> Aimed:
    """A delay and an error are faults of ours; what is rewritten in a message is not."""
    for key in ("patch", "response_headers", "tls"):
        if spec.get(key):
            raise reading.refusal(spec.get(key), key, f"no fault here looks at or changes that ({key})")
    replace = spec.get("replace")
    for key, value in replace.items():
        if key != "code":
            raise reading.refusal(value, f"replace.{key}", "no fault here rewrites a message")
    spec.skip("port", "target")
    which = _which(spec, reading)
    found: list[Fault] = []
    abort, delay, code = spec.flag("abort"), spec.get("delay"), replace.get("code")
    if delay and not abort:
        delay_s = reading.value(delay, "delay", seconds, "no duration such as 1s")
        found.append(reading.make(delay, HttpDelay, delay_ms=neat(1e3 * delay_s), **which))
    if abort:
        said = f"; there the code {code.value} is never sent" if code else ""
        why = f"the connection is closed without an answer there; here 503 is answered{said}"
        reading.partly(spec.get("abort"), "abort", why)
        found.append(reading.make(spec, HttpAbort, **which))
    elif code:
        status = reading.value(code, "replace.code", number, "no status")
        if spec.text("target") != "Response":
            reading.partly(code, "replace.code", "of a Request it has no effect there; here it is answered")
        found.append(reading.make(code, HttpAbort, status=int(status), **which))
    if not found:
        raise reading.refusal(spec, "HTTPChaos", "neither abort, delay nor replace.code")
    if len(found) > 1:
        reading.partly(spec, "HTTPChaos", "both at once there; here a test each")
    why = "those that are open are left alone there; here they are ended, so that every request meets it"
    reading.does(spec, "existing connections", why)
    return [(fault, target) for fault in found]


def _which(spec: Lined, reading: Reading) -> dict[str, object]:
    """Which requests: all that match, for Chaos Mesh knows no share of them."""
    path = spec.text("path") or "*"
    prefix = path.rstrip("*") or "/"
    if any(sign in prefix for sign in "*?"):
        raise reading.refusal(spec.get("path"), "path", f"{path!r}: here a path's beginning; * only at its end")
    if not path.endswith("*"):
        reading.partly(spec.get("path"), "path", f"just {path} there; here all that begins so")
    if code := spec.get("code"):
        reading.partly(code, "code", f"only answers of {code.value} there; here all of them")
    headers = spec.get("request_headers").items()
    if len(headers) > 1:
        raise reading.refusal(spec.get("request_headers"), "request_headers", "several: here one singles requests out")
    header = {"header": f"{headers[0][0]}: {reading.filled_in(headers[0][1], 'request_headers')}"} if headers else {}
    return {"percent": 100, "method": spec.text("method"), "path": prefix, **header}


def jvm(spec: Lined, reading: Reading, target: str) -> Aimed:
    """A method of Java: what it is called here, and which call shows it, no manifest says."""
    action = spec.text("action")
    ours = {"latency": "CodeDelay", "return": "CodeReturn", "exception": "CodeException"}
    where = f"{spec.text('class')}.{spec.text('method')}"
    if action in ours:
        why = (
            f"{where}: write {ours[action]}(function='module:Class.method', probe='GET /path') for its like in {target}"
        )
        raise reading.refusal(spec.get("method") or spec, f"JVMChaos {action}", why)
    raise reading.refusal(spec.get("action"), "action", f"{action}: nothing here is like it")


def _unknown_action(action: Lined, reading: Reading, known: str) -> Refused:
    return reading.refusal(action, "action", f"{action.value!r} is none of {known}")


KINDS: dict[str, Callable[[Lined, Reading, str], Aimed]] = {
    "DNSChaos": dns,
    "HTTPChaos": http,
    "IOChaos": disk,
    "JVMChaos": jvm,
    "NetworkChaos": network,
    "PodChaos": pod,
    "StressChaos": stress,
}

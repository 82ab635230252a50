"""ChaosBlade: experiments of its custom resource, and command lines of `blade create`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

from pytest_anomod.faults import (
    CpuContention,
    DiskStress,
    DnsFailure,
    KillService,
    MemoryPressure,
    NetworkDelay,
    NetworkLoss,
    PauseService,
    RedisMemoryLimit,
    StopService,
)
from pytest_anomod.importers.chaos_mesh_faults import CPU_SHARE, MEMORY_SPARE
from pytest_anomod.importers.found import Aims, Experiment, Reading, Refused, labelled
from pytest_anomod.importers.lines import Lined
from pytest_anomod.importers.units import neat, number, percent
from pytest_anomod.model.fault import Fault

GROUP = "chaosblade.io/"
COMMAND = re.compile(r"(?:^|[\s;&|(`/])blade\s+(?:create|c)\s")
_SWITCHES = ("read", "write", "force", "ignore-not-found", "include-buffer-cache", "avoid-being-killed")
_HOW_WORDS = """
namespace kubeconfig uid timeout waiting-time chaosblade-path chaosblade-override chaosblade-deploy-mode
chaosblade-download-url container-runtime container-namespace cri-endpoint interface force cgroup-root async
blade-release override-blade-release channel debug container-index is-docker-network ignore-not-found
use-sidecar-container-network evict-group rate reserve mem-percent mode size path write read signal
include-buffer-cache avoid-being-killed ignore-peer-port names labels container-names container-name
container-ids container-id container-label-selector process process-cmd pid count local-port evict-percent
evict-count
"""
_HOW = frozenset(_HOW_WORDS.split())
"""Flags that say how blade does it, or which are read wherever they matter."""
_ALIASES = {"fl": "fullload", "load": "fullload", "k": "kill", "f": "stop", "cl": "cache-limit"}
Flags = dict[str, Lined]


def read(document: Lined, aims: Aims) -> list[Experiment]:
    """The experiments of one custom resource."""
    name = document.text("metadata", "name")
    document.skip("apiVersion", "kind", "metadata", "status")
    found = []
    for part in document.get("spec", "experiments").elements():
        flags = {
            one.text("name"): Lined(",".join(one.get("value").texts()), one.line)
            for one in part.get("matchers").elements()
        }
        what = part.text("scope"), part.text("target"), part.text("action")
        found.append(_experiment(what, flags, part.line, f"ChaosBlade {name}", name, aims))
    if not found:
        found = [Experiment(title=f"ChaosBlade {name}", name=name, line=document.line)]
        Reading(found[0], aims).refused(document, "spec.experiments", "there are none")
    return found


def commands(text: str, word: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """The command lines in which a word begins, with their line; a backslash at the end goes on with the next."""
    whole, first = "", 0
    for line, part in enumerate([*text.splitlines(), ""], 1):
        first = first or line
        if part.rstrip().endswith("\\"):
            whole += part.rstrip()[:-1] + " "
            continue
        whole += part
        for command in re.split(r"&&|\|\||;", whole if not whole.lstrip().startswith("#") else ""):
            if match := word.search(command):
                yield first, command[match.start() :].lstrip(" \t&|(`/")
        whole, first = "", 0


def read_commands(text: str, aims: Aims) -> list[Experiment]:
    """The experiments of the command lines in a text."""
    return [_command(line, command, aims) for line, command in commands(text, COMMAND)]


def _command(line: int, command: str, aims: Aims) -> Experiment:
    experiment = Experiment(title="blade create", name="blade", line=line)
    try:
        words = shlex.split(command, comments=True)[2:]
    except ValueError as error:
        Reading(experiment, aims).refused(line, "blade create", f"can't be read: {error}")
        return experiment
    words = words[: next((n for n, word in enumerate(words) if word in ("|", "&", ">", ")")), None)]
    names = words[: next((n for n, word in enumerate(words) if word.startswith("-")), None)]
    flags = dict(_flags(words[len(names) :], line))
    scope = "host"
    if names and names[0] in ("k8s", "cri", "docker"):
        scope = "container" if names[0] != "k8s" else names[1].partition("-")[0] if len(names) > 1 else "k8s"
        names = [names[1].partition("-")[2] if names[0] == "k8s" else names[1], *names[2:]] if len(names) > 1 else []
    target, action = [*names, "", ""][:2]
    return _experiment((scope, target, action), flags, line, "blade create", "blade", aims)


def _flags(words: list[str], line: int) -> Iterator[tuple[str, Lined]]:
    """Flags and their values: --time 300, --time=300; a switch is "true"."""
    position = 0
    while position < len(words):
        name, sign, value = words[position].lstrip("-").partition("=")
        following = words[position + 1] if position + 1 < len(words) else "-"
        position += 1
        if not sign:
            value = "true"
            if name not in _SWITCHES and not following.startswith("--"):
                value = following
                position += 1
        yield name, Lined(value, line)


def _experiment(what: tuple[str, str, str], flags: Flags, line: int, title: str, name: str, aims: Aims) -> Experiment:
    scope, subject, verb = what
    verb = _ALIASES.get(verb, verb) if (subject, verb) != ("mem", "load") else verb
    experiment = Experiment(title=f"{title}: {scope} {subject} {verb}", name=f"{name} {subject} {verb}", line=line)
    reading = Reading(experiment, aims)
    try:
        if scope == "node" or (scope == "host" and subject != "redis"):
            raise reading.refusal(
                line, f"scope {scope}", "it is done to the machine: faults here stay within one service"
            )
        if subject == "jvm":
            why = (
                "its class and method are Java's: write CodeDelay, CodeReturn or CodeException(function=..., probe=...)"
            )
            raise reading.refusal(line, f"jvm {verb}", why)
        do = ACTIONS.get((subject, verb))
        if do is None:
            known = ", ".join(sorted(" ".join(pair) for pair in ACTIONS))
            raise reading.refusal(line, f"{subject} {verb}".strip(), f"no fault here is like it; known are {known}")
        target = _target(flags, reading, line)
        _shared(flags, reading)
        read_by = _READ.get(subject, ())
        for fault in do(flags, reading, line):
            reading.plan(line, fault, target)
        for key, value in flags.items():
            if key not in _HOW and key not in read_by:
                reading.partly(value, key, "nothing here is like it: it is left out")
    except Refused:
        experiment.planned.clear()
    return experiment


def _target(flags: Flags, reading: Reading, line: int) -> str:
    for key in ("labels", "container-label-selector"):
        if where := flags.get(key):
            pairs = [pair.partition("=") for pair in reading.filled_in(where, key).split(",")]
            return labelled({name: Lined(value, where.line) for name, _, value in pairs}, reading, where)
    for key in ("names", "container-names", "container-name", "addr"):
        if where := flags.get(key):
            name = reading.filled_in(where, key).split(",")[0].split(":")[0]
            if service := reading.aims.of_pod(name):
                return service
            raise reading.refusal(where, key, reading.aims.why_none(name))
    raise reading.refusal(line, "labels", "says no pods: which service is it?")


def _shared(flags: Flags, reading: Reading) -> None:
    if where := flags.get("timeout"):
        reading.does(where, "timeout", f"{where.value} there; the window here is that of --anomod-durations")
    for key in ("evict-percent", "evict-count"):
        where = flags.get(key)
        if where and not (key == "evict-percent" and number(where.value) == 100):
            why = f"{where.value} of the pods and not of requests; a service here has one instance, which is hit"
            reading.partly(where, key, why)


def _flag(
    flags: Flags, name: str, reading: Reading, line: int, read_as: Callable[[str], float | None]
) -> tuple[Lined, float]:
    where = flags.get(name) or Lined(None, line)
    if not where:
        raise reading.refusal(line, name, "blade needs it, and it is not there")
    return where, reading.value(where, name, read_as, "no number that it may be")


def _delay(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    where, time_ms = _flag(flags, "time", reading, line, number)
    offset = number(flags["offset"].value) if "offset" in flags else 0
    half = time_ms / 2
    reading.does(where, "time", f"{time_ms:g} ms on what is sent there; here {half:g} ms each way: the same round trip")
    jitters = {"jitter_ms": neat(min(offset / 2, half))} if offset else {}
    _ports(flags, reading)
    return [reading.make(where, NetworkDelay, delay_ms=neat(half), **jitters)]


def _loss(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    where, share = _flag(flags, "percent", reading, line, percent)
    _ports(flags, reading)
    reading.partly(where, "percent", "of what is sent there; here of what comes in as well")
    return [reading.make(where, NetworkLoss, percent=neat(share))]


def _ports(flags: Flags, reading: Reading) -> None:
    for key in ("remote-port", "destination-ip", "exclude-port", "exclude-ip", "protocol"):
        if where := flags.get(key):
            reading.partly(where, key, f"{where.value}: only what goes there; here all that comes to the target")


def _dns(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    where = flags.get("domain") or Lined("", line)
    names = [name for name in where.value.split(",") if name]
    peers = tuple(dict.fromkeys(filter(None, (reading.aims.of_pod(name) for name in names))))
    if not peers:
        raise reading.refusal(where, "domain", f"{where.value!r} names no service of the system")
    reading.partly(where, "domain", "a wrong address there; here the names don't exist")
    return [reading.make(where, DnsFailure, peers=peers)]


def _cpu(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    count = number(flags["cpu-count"].value) if "cpu-count" in flags else 1
    fault = CpuContention(burners=max(1, min(8, int(count or 1))))
    reading.partly(line, "cpu", CPU_SHARE.format(f"{fault.duty_ms:g}"))
    return [fault]


def _memory(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    reading.partly(line, "mem", MEMORY_SPARE.format(f"{MemoryPressure().spare_mb:g}"))
    return [MemoryPressure()]


def _disk(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    if "read" in flags and "write" not in flags:
        raise reading.refusal(flags["read"], "read", "no fault here keeps a disk busy with reading")
    reading.partly(line, "disk", "a disk kept busy there; here the target waits for it at each commit or write")
    return [DiskStress()]


def _kill(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    for key in ("process", "process-cmd"):
        if where := flags.get(key):
            reading.partly(where, key, f"{where.value!r}: here the service's main process, whatever its name")
    signal = flags.get("signal")
    if signal and signal.value not in ("9", "KILL", "SIGKILL"):
        reading.partly(signal, "signal", f"{signal.value} there; here SIGKILL")
    return [KillService(once=True)]


def _pause(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    return [PauseService()]


def _fail(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    return [StopService()]


def _redis(flags: Flags, reading: Reading, line: int) -> list[Fault]:
    """blade's --percent is of maxmemory, and --size is in bytes; ours is of what is used."""
    where = flags.get("percent") or flags.get("size") or Lined(None, line)
    if "percent" in flags:
        why = (
            f"{where.value} of maxmemory there, which a stock Redis has none of: no limit at all; here of what is used"
        )
        reading.partly(where, "percent", why)
        share = reading.value(where, "percent", percent, "no percentage")
        return [reading.make(where, RedisMemoryLimit, percent_of_used=neat(share))]
    fault = RedisMemoryLimit()
    reading.partly(
        where, "size", f"{where.value} there; here {fault.percent_of_used:g} % of what is used, so that it bites"
    )
    return [fault]


ACTIONS: dict[tuple[str, str], Callable[[Flags, Reading, int], list[Fault]]] = {
    ("network", "delay"): _delay,
    ("network", "loss"): _loss,
    ("network", "dns"): _dns,
    ("cpu", "fullload"): _cpu,
    ("mem", "load"): _memory,
    ("disk", "burn"): _disk,
    ("process", "kill"): _kill,
    ("process", "stop"): _pause,
    ("pod", "delete"): _kill,
    ("pod", "fail"): _fail,
    ("container", "remove"): _kill,
    ("redis", "cache-limit"): _redis,
}
"""What blade does and we do too."""
_READ: dict[str, tuple[str, ...]] = {
    "network": (
        "time",
        "offset",
        "percent",
        "remote-port",
        "destination-ip",
        "exclude-port",
        "exclude-ip",
        "protocol",
        "domain",
    ),
    "cpu": ("cpu-count", "cpu-percent", "cpu-list"),
    "redis": ("addr", "percent", "size", "password"),
    "pod": ("evict-percent", "evict-count"),
}

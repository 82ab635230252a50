"""Toxiproxy: configurations, answers of its API, single toxics, and command lines of toxiproxy-cli."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from pytest_anomod.faults import HttpAbort, HttpDelay, NetworkBandwidth, NetworkDelay, PauseService, StopService
from pytest_anomod.importers.chaosblade import commands
from pytest_anomod.importers.found import Aims, Experiment, Reading, Refused
from pytest_anomod.importers.lines import Lined
from pytest_anomod.importers.units import neat, number
from pytest_anomod.model.fault import Fault

COMMAND = re.compile(r"(?:^|[\s;&|(`/])toxiproxy-cli\s")


def is_toxiproxy(root: Lined) -> bool:
    """Whether a document is a list or a mapping of proxies, one proxy, or one toxic."""
    return bool(_proxies(root)) or _is_toxic(root)


def _is_toxic(root: Lined) -> bool:
    return bool(root.text("type") and isinstance(root.get("attributes").value, dict))


def _proxies(root: Lined) -> list[Lined]:
    inner = root.get("proxies") or root
    several = inner.elements() or ([] if _is_proxy(inner) else [value for _, value in _pairs(inner)])
    return [one for one in (several or [inner]) if _is_proxy(one)]


def _pairs(root: Lined) -> list[tuple[str, Lined]]:
    return list(root.value.items()) if isinstance(root.value, dict) else []


def _is_proxy(one: Lined) -> bool:
    return bool(one.text("upstream") and (one.get("listen") or one.get("toxics") or one.get("enabled")))


def read(root: Lined, aims: Aims) -> list[Experiment]:
    """The experiments of a document: each toxic, and each proxy that is off."""
    found: list[Experiment] = []
    for proxy in _proxies(root):
        name, upstream = proxy.text("name"), proxy.text("upstream")
        if proxy.get("enabled") and not proxy.flag("enabled"):
            found.append(_down(proxy.get("enabled"), name, upstream, aims))
        toxics = [
            one for key in ("toxics", "upstream_toxics", "downstream_toxics") for one in proxy.get(key).elements()
        ]
        found += [_toxic(one, one.get("attributes"), name, upstream, aims) for one in toxics]
    if not _proxies(root):
        found.append(_toxic(root, root.get("attributes"), root.text("proxy"), "", aims))
    if not found:
        idle = Experiment(title="Toxiproxy", name="toxiproxy", line=root.line)
        Reading(idle, aims).does(root, "proxies", "no toxic and none of them off: it says where they are, and no fault")
        found.append(idle)
    return found


def _place(name: str, upstream: str, reading: Reading, where: Lined) -> str:
    """The service behind a proxy: by the host of its upstream, or by the proxy's own name."""
    host = upstream.rpartition(":")[0].strip("[]")
    if not host or host == "localhost" or re.fullmatch(r"[\d.]+|[\da-fA-F:]+", host):
        host = ""  # an address says of no service
    if service := (host and reading.aims.of_pod(host)) or (name and reading.aims.service(name)):
        return service
    if not (name or host):
        raise reading.refusal(where, "proxy", "a toxic alone says of no proxy; give the whole configuration")
    raise reading.refusal(where, name or host, reading.aims.why_none(name or host))


def _down(where: Lined, name: str, upstream: str, aims: Aims) -> Experiment:
    experiment = Experiment(title=f"Toxiproxy {name}: down", name=f"{name} down", line=where.line)
    reading = Reading(experiment, aims)
    try:
        target = _place(name, upstream, reading, where)
        reading.partly(where, "enabled", "only the way by the proxy is cut there; here the service is stopped for all")
        why = "those that are open are closed, there as here"
        reading.does(where, "existing connections", why)
        reading.plan(where, StopService(), target)
    except Refused:
        pass
    return experiment


def _toxic(toxic: Lined, attributes: Lined, name: str, upstream: str, aims: Aims) -> Experiment:
    kind = toxic.text("type")
    label = toxic.text("name") or f"{kind}_{toxic.text('stream') or 'downstream'}"
    experiment = Experiment(title=f"Toxiproxy {name}: {label}", name=f"{name} {label}", line=toxic.line)
    reading = Reading(experiment, aims)
    toxic.skip("name", "type", "stream", "attributes", "proxy", "toxicity")
    try:
        if kind not in TOXICS:
            raise reading.refusal(toxic.get("type"), kind, _why_not(kind))
        target = _place(name, upstream, reading, toxic)
        share = _toxicity(toxic, reading)
        faults = TOXICS[kind](toxic, attributes, share, reading, _speaks_http(target, aims))
        for fault in faults:
            reading.plan(toxic, fault, target)
        relayed = not any(isinstance(fault, PauseService) for fault in faults)
        why = "they meet it at once there; here they are ended, and meet it when they come again"
        why = why if relayed else "they fall silent, there as here"
        reading.does(toxic, "existing connections", why)
        reading.unread(attributes, "attributes.")
        reading.unread(toxic)
    except Refused:
        experiment.planned.clear()
    return experiment


def _why_not(kind: str) -> str:
    known = {
        "slow_close": "no fault here holds up just the end of a connection",
        "slicer": "no fault here cuts data into pieces; TCP is free to do so anyway",
        "limit_data": "no fault here ends a connection after so many bytes",
    }
    return known.get(kind, f"no toxic that is known here: {', '.join(sorted(TOXICS))}")


def _speaks_http(target: str, aims: Aims) -> bool:
    return aims.system is None or aims.system.service(target).engine == "http"


def _toxicity(toxic: Lined, reading: Reading) -> float:
    """The share of connections that the toxic is applied to, from 0 to 1."""
    where = toxic.get("toxicity")
    if not where:
        return 1.0
    share = reading.value(where, "toxicity", number, "no number from 0 to 1")
    if not 0 <= share <= 1:
        raise reading.refusal(where, "toxicity", f"{where.value} is no share from 0 to 1")
    if share == 0:
        raise reading.refusal(where, "toxicity", "0: it is applied to no connection, so there is nothing to prove")
    return float(share)


def _latency(toxic: Lined, attributes: Lined, share: float, reading: Reading, http: bool) -> list[Fault]:
    """In one direction, so half of it each way here; for a share of connections a share of requests, of HTTP."""
    where = attributes.get("latency")
    latency_ms = reading.value(where, "latency", number, "no milliseconds")
    jitter = number(attributes.text("jitter") or "0") or 0
    if share < 1:
        if not http:
            _only_all(toxic, share, reading)
        why = f"{share:g} of the connections there; here {100 * share:g} % of the requests"
        reading.partly(toxic.get("toxicity"), "toxicity", why)
        if jitter:
            reading.partly(attributes.get("jitter"), "jitter", "each request is held up equally long here")
        which = {"percent": neat(100 * share), "method": "", "path": "/"}
        return [reading.make(where, HttpDelay, delay_ms=neat(latency_ms), **which)]
    stream, half = toxic.text("stream") or "downstream", latency_ms / 2
    reading.does(where, "latency", f"{latency_ms:g} ms {stream} there; here {half:g} ms each way: the same round trip")
    jitters = {"jitter_ms": neat(min(jitter / 2, half))} if jitter else {}
    return [reading.make(where, NetworkDelay, delay_ms=neat(half), **jitters)]


def _only_all(toxic: Lined, share: float, reading: Reading) -> None:
    why = f"{share:g} of the connections: what is not HTTP has no fault here for a share of them; write 1"
    raise reading.refusal(toxic.get("toxicity"), "toxicity", why)


def _bandwidth(toxic: Lined, attributes: Lined, share: float, reading: Reading, http: bool) -> list[Fault]:
    if share < 1:
        _only_all(toxic, share, reading)
    where = attributes.get("rate")
    rate = reading.value(where, "rate", number, "no KB/s")
    reading.partly(where, "rate", "for each connection, one way, there; here for all of them together, each way")
    return [reading.make(where, NetworkBandwidth, rate_kbit=neat(8 * rate))]


def _timeout(toxic: Lined, attributes: Lined, share: float, reading: Reading, http: bool) -> list[Fault]:
    if share < 1:
        _only_all(toxic, share, reading)
    where = attributes.get("timeout")
    if number(where.word or "0"):
        reading.partly(where, "timeout", f"closed after {where.value} ms there; here callers wait as long as they like")
    reading.partly(toxic, "timeout", "only the way by the proxy is silent there; here the service itself is held")
    return [PauseService()]


def _reset(toxic: Lined, attributes: Lined, share: float, reading: Reading, http: bool) -> list[Fault]:
    if not http:
        raise reading.refusal(
            toxic.get("type"), "reset_peer", "what is not HTTP has no fault here that resets connections"
        )
    attributes.skip("timeout")
    reading.partly(toxic, "reset_peer", "the connection is reset there; here 503 is answered")
    which = {"percent": neat(100 * share), "method": "", "path": "/"}
    return [reading.make(toxic, HttpAbort, **which)]


TOXICS: dict[str, Callable[[Lined, Lined, float, Reading, bool], list[Fault]]] = {
    "bandwidth": _bandwidth,
    "latency": _latency,
    "reset_peer": _reset,
    "timeout": _timeout,
}
"""The toxics that have a like here."""


def read_commands(text: str, aims: Aims) -> list[Experiment]:
    """`toxiproxy-cli create` says where a proxy leads, `toxic add` what is done to it, `toggle` that it is down."""
    upstreams: dict[str, str] = {}
    found: list[Experiment] = []
    for line, command in commands(text, COMMAND):
        try:
            words = shlex.split(command, comments=True)[1:]
        except ValueError as error:
            found.append(Experiment(title="toxiproxy-cli", name="toxiproxy", line=line))
            Reading(found[-1], aims).refused(line, "toxiproxy-cli", f"can't be read: {error}")
            continue
        flags, rest = _options(words)
        name = rest[-1] if rest else ""
        if rest[:1] == ["create"]:
            upstreams[name] = flags.get("upstream", flags.get("u", ""))
        elif rest[:1] == ["toggle"]:
            found.append(_down(Lined("toggle", line), name, upstreams.get(name, ""), aims))
        elif rest[:2] in (["toxic", "add"], ["toxic", "a"]):
            toxic = _as_toxic(flags, line)
            found.append(_toxic(toxic, toxic.get("attributes"), name, upstreams.get(name, ""), aims))
    return found


def _options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Flags by name, and what is no flag; -a may stand there more than once."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, sign, value = word.lstrip("-").partition("=")
        if not sign and name in ("downstream", "d", "upstream", "u") and rest[:1] == ["toxic"]:
            flags["stream"] = "downstream" if name.startswith("d") else "upstream"
        elif not sign:
            value = words[position] if position < len(words) else ""
            position += 1
            flags[name] = f"{flags[name]},{value}" if name in ("a", "attribute") and name in flags else value
        else:
            flags[name] = value
    return flags, rest


def _as_toxic(flags: dict[str, str], line: int) -> Lined:
    """The toxic that a command line adds, as the API would show it."""
    pairs = [pair.partition("=") for pair in flags.get("attribute", flags.get("a", "")).split(",") if pair]
    attributes = Lined({key: Lined(value, line) for key, _, value in pairs}, line)
    fields = {
        "type": flags.get("type", flags.get("t", "")),
        "name": flags.get("toxicName", flags.get("n", "")),
        "stream": flags.get("stream", ""),
        "toxicity": flags.get("toxicity", flags.get("tox", "")),
    }
    return Lined({**{key: Lined(value or None, line) for key, value in fields.items()}, "attributes": attributes}, line)

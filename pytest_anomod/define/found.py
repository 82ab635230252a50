"""Finds in a resolved compose document what each service runs, where it listens and whom it calls. Pure.

Every answer says where it came from, so that a reader can check it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_anomod.define import engines
from pytest_anomod.model.system import Probe, ServiceKind
from pytest_anomod.runtimes.compose.transform import image_of, one_shot, plain, replicas

_HEALTH_URL = re.compile(
    r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[^\s\"'|&;)]*)?(?=[\s\"'|&;)]|$)"
)
_NAMES_A_HOST = re.compile(
    r"(?:HOST|HOSTS|HOSTNAME|ADDR|ADDRESS|SERVER|SERVERS|URL|URI|ENDPOINT|BROKER|BROKERS|PEER|PEERS|TARGET|UPSTREAM)$",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """The address of another service in the settings of a service: a URL, host and port, or its name alone."""

    caller: str
    called: str
    scheme: str
    port: int
    where: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One service, and for each answer where it came from."""

    name: str
    kind: ServiceKind
    engine: str
    port: int
    probe: Probe
    calls: tuple[str, ...]
    published: tuple[int, ...]
    is_tool: bool
    """Whether it is there to look at others (a tracing UI, say), and no entry of users."""
    why: Mapping[str, str]


def find_services(document: Mapping[str, Any], jobs: frozenset[str] = frozenset()) -> tuple[Found, ...]:
    """All services that stay up, in the order of the document; `jobs` end by themselves, as others may wait for."""
    ends = one_shot(document) | jobs
    services = {
        name: service for name, service in document["services"].items() if name not in ends and replicas(service) > 0
    }
    mentions = [mention for name in services for mention in mentions_of(name, services)]
    return tuple(_find_service(document, name, services, mentions) for name in services)


def _find_service(
    document: Mapping[str, Any], name: str, services: Mapping[str, Any], mentions: list[Mention]
) -> Found:
    service, image = services[name], image_of(document, name)
    of_it = [mention for mention in mentions if mention.called == name]
    health = health_url(service)
    published = tuple(dict.fromkeys(int(port["target"]) for port in service.get("ports") or () if _is_tcp(port)))
    exposed = tuple(int(str(port).partition("/")[0].partition("-")[0]) for port in service.get("expose") or ())
    port, why_port = _port_of(published, of_it, health, exposed)
    engine, why_engine = engines.engine_of(image, _words_of(service), _check_of(service), of_it, port)
    if not port and engine in engines.PORTS:
        port, why_port = engines.PORTS[engine], f"the usual one of {engine}"
    calls, why_calls = _calls_of(name, service, services, mentions)
    kind = engines.kind_of(engine, image, published=bool(published), tool=engines.is_tool(image))
    return Found(
        name=name,
        kind=kind,
        engine=engine,
        port=port,
        probe=Probe(kind="http", path=health[1]) if health and engine == "http" and health[0] == port else Probe(),
        calls=calls,
        published=published,
        is_tool=engines.is_tool(image),
        why={
            "engine": why_engine,
            "port": why_port,
            "calls": why_calls,
            "probe": "its health check" if _check_of(service) else "what its engine speaks",
        },
    )


def mentions_of(caller: str, services: Mapping[str, Any]) -> Iterator[Mention]:
    """What one service is told of others, in its environment and its command."""
    service = services[caller]
    texts = [(key, plain(str(value))) for key, value in (service.get("environment") or {}).items() if value is not None]
    texts += [("command", plain(word)) for word in _words_of(service)]
    for called, other in services.items():
        if called == caller:
            continue
        for host in _names_of(called, other):
            for variable, text in texts:
                for scheme, port in _in_text(variable, text, host):
                    yield Mention(caller=caller, called=called, scheme=scheme, port=port, where=variable)


def _in_text(variable: str, text: str, host: str) -> Iterator[tuple[str, int]]:
    """Each place in a text that names a host: the scheme of its URL ("" for none) and the port (0 for none)."""
    if host not in text:
        return
    escaped, seen = re.escape(host), False
    for found in re.finditer(rf"([a-zA-Z][\w+.-]*)://(?:[^/\s@]*@)?{escaped}(?::(\d+))?(?=[/?#\s,;\"']|$)", text):
        seen = True
        yield found[1].lower(), int(found[2] or 0)
    for found in re.finditer(rf"(?<![\w.@/-]){escaped}:(\d+)(?![\d.])", text):
        seen = True
        yield "", int(found[1])
    if not seen and text == host and _NAMES_A_HOST.search(variable):
        yield "", 0


def _port_of(
    published: tuple[int, ...], mentions: list[Mention], health: tuple[int, str] | None, exposed: tuple[int, ...]
) -> tuple[int, str]:
    """Where others reach it: published, as callers are told, as it is checked, exposed; the first that is clear."""
    told = [mention for mention in mentions if mention.port]
    if told:
        common = max(dict.fromkeys(mention.port for mention in told), key=[one.port for one in told].count)
        first = next(mention for mention in told if mention.port == common)
        if not published or common in published:
            return common, f"{first.where} of {first.caller}"
    if health is not None and (not published or health[0] in published):
        return health[0], "its health check"
    if published:
        return published[0], "the port it publishes"
    if exposed:
        return exposed[0], "the port it exposes"
    plain_http = [mention for mention in mentions if mention.scheme in ("http", "https")]
    if plain_http:
        port = 443 if plain_http[0].scheme == "https" else 80
        return port, f"{plain_http[0].where} of {plain_http[0].caller}"
    return 0, "nothing tells; it is looked for when the service is up"


def _calls_of(
    name: str, service: Mapping[str, Any], services: Mapping[str, Any], mentions: list[Mention]
) -> tuple[tuple[str, ...], str]:
    reasons: dict[str, str] = {}
    for mention in mentions:
        if mention.caller == name:
            reasons.setdefault(mention.called, f"{mention.called}: {mention.where}")
    for other in service.get("depends_on") or {}:
        if other in services:
            reasons.setdefault(other, f"{other}: depends_on")
    called = tuple(other for other in services if other in reasons)
    return called, ", ".join(reasons[other] for other in called) or "nothing names another service"


def health_url(service: Mapping[str, Any]) -> tuple[int, str] | None:
    """Port and path that its health check asks for over HTTP, without encryption; None where it asks otherwise."""
    found = _HEALTH_URL.search(" ".join(_check_of(service)))
    return (int(found[2] or 80), found[3] or "/") if found and found[1] == "http" else None


def _check_of(service: Mapping[str, Any]) -> list[str]:
    check = service.get("healthcheck") or {}
    test = [] if check.get("disable") else check.get("test") or []
    words = [test] if isinstance(test, str) else list(test)
    return [] if words[:1] == ["NONE"] else [plain(word) for word in words if word not in ("CMD", "CMD-SHELL")]


def _words_of(service: Mapping[str, Any]) -> list[str]:
    """Entry point and command as the document has them; what the image has is not told there."""
    words = []
    for key in ("entrypoint", "command"):
        value = service.get(key) or []
        words += [value] if isinstance(value, str) else [str(word) for word in value]
    return words


def _names_of(name: str, service: Mapping[str, Any]) -> tuple[str, ...]:
    """All names by which others may know a service."""
    names = [name, service.get("container_name"), service.get("hostname")]
    for network in (service.get("networks") or {}).values():
        names += (network or {}).get("aliases") or ()
    return tuple(dict.fromkeys(one for one in names if one))


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return (port.get("protocol") or "tcp") == "tcp"

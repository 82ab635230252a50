"""Services of a resolved compose document under other names, by which all that refers to them goes as well. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.runtimes.compose.transform import image_of

_NAMESPACES = ("network_mode", "ipc", "pid")


def renamed_services(document: Mapping[str, Any], names: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The document with services named anew: `names` has what each is to be called and what it is called in there.

    In its networks a service is found by both names, as others ask for it by the one that they know.
    """
    ours = {theirs: mine for mine, theirs in names}
    found: dict[str, Any] = copy.deepcopy(dict(document))
    for theirs, service in found["services"].items():
        if theirs in ours:
            service["image"] = image_of(document, theirs)  # one that is built is named after the service otherwise
            if "network_mode" not in service:
                service["networks"] = _known_as(theirs, service.get("networks") or {"default": None})
        _refer(service, ours)
    found["services"] = {ours.get(theirs, theirs): service for theirs, service in found["services"].items()}
    return found


def _known_as(name: str, networks: Mapping[str, Any]) -> dict[str, Any]:
    """Networks of a service with one more name by which it is found there."""
    return {
        key: {**(entry or {}), "aliases": [*dict.fromkeys([*((entry or {}).get("aliases") or ()), name])]}
        for key, entry in networks.items()
    }


def _refer(service: dict[str, Any], ours: Mapping[str, str]) -> None:
    """Have a service wait for, share with and link to others by their new names."""
    if service.get("depends_on"):
        service["depends_on"] = {ours.get(other, other): how for other, how in service["depends_on"].items()}
    for key in _NAMESPACES:
        kind, _, other = str(service.get(key) or "").partition(":")
        if kind == "service" and other in ours:
            service[key] = f"service:{ours[other]}"
    for key in ("links", "volumes_from"):
        if service.get(key):
            service[key] = [_first_word(text, ours, link=key == "links") for text in service[key]]


def _first_word(text: str, ours: Mapping[str, str], *, link: bool) -> str:
    """`other:ro` or `other:alias` with the new name; a link without an alias has the old name for one."""
    other, colon, rest = text.partition(":")
    if other not in ours:
        return text
    return f"{ours[other]}:{rest or other}" if link or colon else ours[other]

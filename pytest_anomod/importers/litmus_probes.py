"""Litmus probes: HTTP probes of users' requests are kept, those that run code or query a cluster are refused."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_anomod.importers.found import Reading
from pytest_anomod.importers.lines import Lined
from pytest_anomod.model.verdict import Verdict

_WHILE = ("Continuous", "OnChaos")
_REFUSALS = {
    "cmdProbe": "it runs a command in a container; nothing of a file is run here: write it into the test",
    "promProbe": "no query is asked here; the metrics modality has the figures: write an assert into the test",
    "k8sProbe": "there is no cluster to ask; that the target is hit and comes back is proven without it",
    "sloProbe": "there is no SLO service to ask",
}


def read(probes: Lined, reading: Reading) -> str:
    """The verdict that the test expects: tolerated if users must be served all along; "" when no probe says any.

    A probe that is refused leaves the test as it is.
    """
    expects = ""
    for probe in probes.elements():
        kind, mode = probe.text("type"), probe.text("mode")
        key = f"{kind} {probe.text('name')}".strip()
        if kind != "httpProbe":
            reading.refused(probe, key, _REFUSALS.get(kind, "no kind of probe that is known here"))
            continue
        inputs = probe.get("httpProbe/inputs")
        if asked := _not_kept(inputs):
            reading.refused(inputs, key, f"{asked}: users here send what the system's journeys say")
            continue
        where = _whom(inputs.text("url"), reading)
        if mode in _WHILE:
            expects = str(Verdict.TOLERATED)
            why = f"{where} must be served while the fault is in: the test expects it tolerated, by all of its users"
            reading.partly(probe, f"{key}, {mode}", why)
        else:
            why = f"{where} must be served before and after: so it is asked of every case, by its users"
            reading.does(probe, f"{key}, {mode or 'no mode'}", why)
    return expects


def _not_kept(inputs: Lined) -> str:
    """What a request has beside its address, or an answer that is no success; "" when it is a plain question."""
    get, post = inputs.get("method", "get"), inputs.get("method", "post")
    if post:
        return "a POST with a body of its own"
    code = get.text("responseCode")
    if get.text("criteria") not in ("", "==", "oneOf") or (code and not code.lstrip("[ ").startswith("2")):
        return f"an answer {get.text('criteria')} {code}"
    return ""


def _whom(url: str, reading: Reading) -> str:
    host = urlsplit(url).hostname if "://" in url else ""
    service = reading.aims.of_pod(host) if host else ""
    return service or host or url or "the system"

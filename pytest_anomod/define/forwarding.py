"""Where what services export to us is sent on to, if the user says so: `forward="http://127.0.0.1:4318"`."""

from __future__ import annotations

from urllib.parse import urlsplit

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.redact import redact_text


def check_forward(url: str, where: str, *, receives: bool) -> None:
    """ScenarioError for a URL that can't be an OTLP endpoint, or when nothing would be sent there; "" is for none.

    `receives` says whether any service exports to us.
    """
    if not url:
        return
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        fits = False
    if not fits:
        msg = f"{where}: forward={redact_text(url)!r} is no place for OTLP: give a URL such as http://127.0.0.1:4318"
        raise ScenarioError(msg)
    if parts.username is not None or parts.query:
        msg = f"{where}: forward= names {parts.hostname} with a password or a query, which are not sent: leave them out"
        raise ScenarioError(msg)
    if not receives:
        msg = f"{where}: forward= has nothing to send on: name services in otlp=, or put in agents="
        raise ScenarioError(msg)

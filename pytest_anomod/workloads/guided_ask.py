"""The one sender of exploring: one request after the other on a kept connection, each with a trace id of its own."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from pytest_anomod.workloads.guided import Answer
from pytest_anomod.workloads.script import FORM, JSON, NONE, Step, read_json, text_of

_TYPES = {JSON: "application/json", FORM: "application/x-www-form-urlencoded"}
MOST_BYTES = 4_000_000
"""So much of an answer is read and looked at."""


class Sender:
    """Sends steps to a system's entry, as who has logged in; redirects are answers like others."""

    def __init__(self, entry_url: str, login: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        parts = urlsplit(entry_url)
        self._login = dict(login)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)

    def __call__(self, step: Step) -> Answer:
        """Send one; status 0 when no whole answer came."""
        trace_id = os.urandom(16).hex()
        login = {} if step.anonymous else self._login
        headers = {**login, "traceparent": f"00-{trace_id}-{os.urandom(8).hex()}-01", "Accept": "*/*"}
        body = None
        if step.kind != NONE:
            headers["Content-Type"] = _TYPES.get(step.kind, "text/plain")
            body = _encoded(step)
        target = quote(step.path, safe="/%:@!$&'()*+,;=~-._")
        if step.query:
            target += "?" + urlencode(step.query, doseq=True)
        try:
            self._connection.request(step.method, target, body, headers)
            response = self._connection.getresponse()
            content = response.read(MOST_BYTES)
            if not response.isclosed():
                self._connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return Answer(0, None, trace_id)
        return Answer(response.status, read_json(content), trace_id)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _encoded(step: Step) -> bytes:
    if step.kind == FORM and isinstance(step.body, dict):
        pairs = {
            name: [text_of(one) for one in value] if isinstance(value, list) else text_of(value)
            for name, value in step.body.items()
        }
        return urlencode(pairs, doseq=True, errors="replace").encode()
    text = json.dumps(step.body) if step.kind == JSON else text_of(step.body)
    return text.encode("utf-8", "replace")

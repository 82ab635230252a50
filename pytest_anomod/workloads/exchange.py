"""One exchange after the other: sends a journey's requests, records each with its trace id the moment it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import json as jsonlib
import os
import re
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlencode

from pytest_anomod.model.clock import monotonic_s
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.workload import Response
from pytest_anomod.workloads._http import FailedError, Pool, headers_for
from pytest_anomod.workloads.plan import Arrival, Load
from pytest_anomod.workloads.record import Message, Records, empty_record

USER_AGENT = "loadgenerator"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
"""Of what `urlencode` leaves as it is."""
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclasses.dataclass(kw_only=True)
class Clock:
    """Places moments of the monotonic clock on the wall clock: both were read together when the workload began.

    The event loop's own time won't do: it is that of the loop's last turn, in whole milliseconds.
    """

    start_unix_nano: int
    start_s: float

    def unix_nano(self, moment_s: float) -> int:
        """UTC nanoseconds of a moment of the monotonic clock."""
        return self.start_unix_nano + round((moment_s - self.start_s) * 1e9)


@dataclasses.dataclass(slots=True, kw_only=True)
class Sending:
    """What all journeys of a workload share. `is_open` turns false when the workload ends."""

    load: Load
    http: Pool
    records: Records
    clock: Clock
    count: Callable[[str], None]
    is_open: bool = True


class JourneyClient:
    """The client of one journey (model.workload.Client); cookies last as long as the journey, `state` longer."""

    def __init__(self, sending: Sending, arrival: Arrival, due_s: float, state: dict[str, Any]) -> None:
        self.state = state
        self._sending = sending
        self._arrival = arrival
        self._due_s: float | None = due_s
        self._cookies: dict[str, str] = {}
        self._step = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        route: str | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | str | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
    ) -> Response:
        """Send one request and record it; a text given as `form` is sent as it is. Never raises for what the net does.

        error_kind is "" for a whole answer of any status, else connect, disconnect, timeout, protocol or cancelled.
        """
        if self._step and not self._sending.is_open:
            raise asyncio.CancelledError  # the workload is ending: what a journey that began would do next is not done
        exchange = self._begin(method, path, route, query, form, json, headers, host)
        try:
            answer = await self._exchange(exchange)
        except asyncio.CancelledError:
            exchange.error_kind = "cancelled"
            raise
        except FailedError as error:
            exchange.error_kind = error.kind
            answer = Response(status=0, body=b"", error_kind=exchange.error_kind)
        finally:
            self._end(exchange)
        return answer

    def _begin(
        self,
        method: str,
        path: str,
        route: str | None,
        query: Mapping[str, str] | None,
        form: Mapping[str, str] | str | None,
        json: Any,
        headers: Mapping[str, str] | None,
        host: str | None,
    ) -> _Exchange:
        ids = os.urandom(24).hex()
        trace_id, span_id = ids[:32], ids[32:]
        sent = {"User-Agent": USER_AGENT, "traceparent": f"00-{trace_id}-{span_id}-01"}
        body = b""
        if form is not None:
            sent["Content-Type"] = _FORM_TYPE
            body = (form if isinstance(form, str) else urlencode(form)).encode()
        elif json is not None:
            sent["Content-Type"] = "application/json"
            body = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
        sent.update(headers or {})
        if self._cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self._cookies.items()))
        url = self._url(path, query, host)
        now_s = monotonic_s()
        begun_s, self._due_s = now_s if self._due_s is None else self._due_s, None
        self._step += 1
        return _Exchange(
            method=method,
            url=url,
            route=route or path.partition("?")[0],
            service=host or self._sending.load.system.entry,
            step=self._step,
            trace_id=trace_id,
            span_id=span_id,
            headers=headers_for(method, url, sent, body),
            body=body,
            begun_s=begun_s,
            sent_s=now_s,
        )

    def _url(self, path: str, query: Mapping[str, str] | None, host: str | None) -> str:
        load = self._sending.load
        base = load.entry_url
        if host is not None and host != load.system.entry:
            if host not in load.urls:
                msg = (
                    f"journey {self._arrival.journey.name!r} asks for {host!r}; public services are {sorted(load.urls)}"
                )
                raise ScenarioError(msg)
            base = load.urls[host]
        if not query:
            return base + path
        if _PLAIN("".join((*query, *query.values()))):
            text = "&".join([f"{name}={value}" for name, value in query.items()])
        else:
            text = urlencode(query)
        return f"{base}{path}{'&' if '?' in path else '?'}{text}"

    async def _exchange(self, exchange: _Exchange) -> Response:
        found = await self._sending.http.request(exchange.method, exchange.url, exchange.headers, exchange.body)
        exchange.response_headers = found.headers
        exchange.status, exchange.response_body = found.status, found.body
        self._keep_cookies([value for name, value in found.headers if name.lower() == "set-cookie"])
        return Response(status=found.status, body=found.body)

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            try:
                found: SimpleCookie = SimpleCookie(line)
            except CookieError:
                continue  # what no browser would keep either
            self._cookies.update((name, morsel.value) for name, morsel in found.items())

    def _end(self, exchange: _Exchange) -> None:
        sending = self._sending
        now_s = monotonic_s()
        sending.count(exchange.error_kind or "answered")
        sending.records.write(exchange.record(self._arrival, sending.clock, now_s, sending.load.body_limit_bytes))


@dataclasses.dataclass(slots=True, kw_only=True)
class _Exchange(Message):
    """A message with its moments, in seconds of the monotonic clock."""

    begun_s: float
    sent_s: float

    def record(self, arrival: Arrival, clock: Clock, now_s: float, limit: int) -> dict[str, Json]:
        """The line of the record file."""
        return {
            **base_record(arrival, clock.unix_nano(self.begun_s), self.service),
            **self.fields(limit),
            "duration_ns": round((now_s - self.begun_s) * 1e9),
            "delay_ns": round((self.sent_s - self.begun_s) * 1e9),
        }


def base_record(arrival: Arrival, time_unix_nano: int, service: str) -> dict[str, Json]:
    """A record of a journey that sent nothing; the fields of an exchange, empty."""
    return empty_record(arrival.journey.name, arrival.index, time_unix_nano, service)

"""HAR recordings of a browser or a proxy as journeys: one for each page, in the order in which it was recorded."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads._web_files import grouped, kept_headers, load_json, read_body
from pytest_anomod.workloads.script import JSON, TEXT, Script, Step, learnt, read_json
from pytest_anomod.workloads.suite_wire import route_of

_STATIC = ("image/", "font/", "audio/", "video/", "text/css", "javascript", "wasm")


def read_har(path: Path) -> list[Script]:
    """The journeys of a recording: requests to the host that is asked most, without static files and logins.

    An id that an earlier answer of the same page had is taken from the answer to the same request of the replay.
    ScenarioError names the file and the entry that can't be read.
    """
    where = f"har:{path}"
    document = load_json(path, where)
    entries = document.get("log", {}).get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        msg = f"{where}: it has no log.entries: save it as HAR in the browser's network panel"
        raise ScenarioError(msg)
    read = [(_page(entry), *_read(entry, f"{where}: log.entries[{index}]")) for index, entry in enumerate(entries)]
    api = [one for one in read if not one[4]]
    if not api:
        msg = f"{where}: none of its {len(entries)} entries is a request to a service: static files are left out"
        raise ScenarioError(msg)
    host = Counter(one[2] for one in api).most_common(1)[0][0]
    pages: dict[str, list[tuple[Step, Json]]] = defaultdict(list)
    for page, step, asked, answer, _ in api:
        if asked == host:
            pages[page].append((step, answer))
    return [
        Script(name=f"page_{number}", steps=learnt([step for step, _ in one], [answer for _, answer in one]))
        for number, one in enumerate(pages.values(), 1)
    ]


def _page(entry: Any) -> str:
    return str(entry.get("pageref", "")) if isinstance(entry, Mapping) else ""


def _read(entry: Any, where: str) -> tuple[Step, str, Json, bool]:
    """One entry: its request, its host, the document of its answer, and whether it is a static file."""
    try:
        request, response = entry["request"], entry.get("response") or {}
        parts = urlsplit(request["url"])
        posted = request.get("postData") or {}
        media = str(posted.get("mimeType") or "")  # sent as it is: the boundary of a multipart body counts its case
        kind, body = read_body(str(posted.get("text") or ""), media)
        headers = kept_headers((one["name"], one["value"]) for one in request.get("headers") or ())
        method = str(request["method"]).upper()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        msg = f"{where}: no request as HAR 1.2 has it: {type(error).__name__}: {error}"
        raise ScenarioError(msg) from error
    if kind == TEXT:
        headers["Content-Type"] = media
    path = parts.path or "/"
    step = Step(
        method=method, path=path, route=route_of(path), query=grouped(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers, body=body, kind=kind,
    )  # fmt: skip
    content = response.get("content") or {}
    answered = str(content.get("mimeType") or "").lower()
    static = any(word in answered for word in _STATIC) or method == "OPTIONS" or not parts.scheme.startswith("http")
    return step, parts.netloc, _document(content) if JSON in answered else None, static


def _document(content: Mapping[str, Any]) -> Json:
    text = str(content.get("text") or "")
    return read_json(base64.b64decode(text) if content.get("encoding") == "base64" else text.encode())

"""Asks agents inside a service over unix sockets in its run directory: one socket a process, NAME.sock.

A request is one line of JSON, {"path": ..., "payload": ...}; the answer is JSON up to the end of the connection,
{"ok": ...} or {"error": text}. No rule over packets touches a unix socket.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

TIMEOUT_S = 10.0
MOST_BYTES = 256 << 20


class SocketAgent:
    """All processes of a service as one agent: lines that ran in any of them ran, a change is made in all."""

    def __init__(self, service: str, run: Path, lines: Callable[[Json], Mapping[str, Json]] | None = None) -> None:
        self._service = service
        self._run = run
        self._lines = lines
        """Makes FILES of one process's "raw", for languages whose snapshots have that."""

    def ask(self, path: str, payload: Json = None) -> Json:
        """Ask all processes and make one answer of theirs; see `language.Asked`."""
        if path == "/coverage/lines":
            return [self._made(raw) for raw in payload["snapshots"]]
        answers = self._ask_all(path, payload)
        good = {name: answer["ok"] for name, answer in answers.items() if "ok" in answer}
        if not good:
            errors = "; ".join(sorted({str(answer.get("error")) for answer in answers.values()}))
            msg = f"the agent of {self._service!r}: {errors or 'no process of it answers'}"
            raise DeploymentError(msg)
        if path == "/coverage/snapshot":
            return _as_one(good)
        if path in ("/code/restore", "/code/patched"):
            return sorted({name for changed in good.values() for name in changed})
        return next(iter(good.values()))

    def _made(self, raw: Mapping[str, Json]) -> Mapping[str, Json]:
        assert self._lines is not None
        return union(self._lines(one) for one in raw.values())

    def _ask_all(self, path: str, payload: Json) -> dict[str, Mapping[str, Json]]:
        """Answers by socket; a socket that nobody listens on any more is removed."""
        answers: dict[str, Mapping[str, Json]] = {}
        for place in sorted(self._run.glob("*.sock")):
            try:
                answers[place.name] = ask_socket(place, {"path": path, "payload": payload})
            except ConnectionRefusedError:
                with contextlib.suppress(OSError):  # it may be gone by now, and another's not ours to remove
                    place.unlink()
            except (OSError, ValueError) as error:
                answers[place.name] = {"error": f"{place.name}: {error or type(error).__name__}"}
        return answers


def ask_socket(place: Path, question: Json, timeout_s: float = TIMEOUT_S) -> Mapping[str, Json]:
    """One question to one socket; OSError when it can't be asked, ValueError for an answer that can't be read."""
    directory = os.open(place.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(short(place, directory))
            connection.sendall(json.dumps(question).encode() + b"\n")
            answer = bytearray()
            while chunk := connection.recv(1 << 16):
                answer += chunk
                if len(answer) > MOST_BYTES:
                    msg = f"more than {MOST_BYTES} bytes"
                    raise ValueError(msg)
    finally:
        os.close(directory)
    found = json.loads(bytes(answer))
    if not isinstance(found, dict):
        msg = f"no answer: {found!r:.80}"
        raise ValueError(msg)
    return found


def short(place: Path, directory: int) -> str:
    """The path of a socket, by the open directory where it is longer than the kernel takes (108 bytes)."""
    whole = os.fspath(place)
    return whole if len(os.fsencode(whole)) < 100 else f"/proc/self/fd/{directory}/{place.name}"


def _as_one(snapshots: Mapping[str, Mapping[str, Json]]) -> Mapping[str, Json]:
    """Of several processes: exact only where each is, and no other has come or gone."""
    one = {key: [[name, each[key]] for name, each in snapshots.items()] for key in ("since_unix_nano", "at_unix_nano")}
    if any("raw" in each for each in snapshots.values()):
        return {**one, "raw": {name: each["raw"] for name, each in snapshots.items() if "raw" in each}}
    return {**one, "files": union(each["files"] for each in snapshots.values())}


def union(every: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """FILES of several processes as one."""
    found: dict[str, Json] = {}
    for files in every:
        for path, entry in files.items():
            known = found.setdefault(path, {"covered": [], "executable": [], "functions": {}})
            for key in ("covered", "executable"):
                known[key] = sorted({*known[key], *(entry.get(key) or ())})
            known["functions"] = {**(entry.get("functions") or {}), **known["functions"]}
    return found

"""What went wrong with a cluster while a case was played: the API server was away, a pod was taken from us.

A case in which that was is none: what could not be seen, or was no fault of ours, must not pass for what was declared.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from pytest_anomod.host import files
from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.runtimes.kubernetes.api import PODS

FILE = "mishaps.jsonl"
"""In a deployment's undo directory, a line each: {"from_ns", "to_ns", "what"}."""
LOST_S = 8.0
"""For so long an API server may be away: states of pods come that late, and logs go on where they were."""


class Away:
    """Whether the API server is away, by those who ask it something; what it comes to is noted once it is back."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._errors: dict[str, str] = {}
        self._since_ns = 0
        self._first = ""
        self._lock = threading.Lock()

    def fails(self, who: str, error: str, since_ns: int = 0) -> None:
        """Somebody who asked, since then, got no answer, or one that does not help."""
        with self._lock:
            if not self._errors:
                self._since_ns, self._first = since_ns or clock.now_ns(), error
            self._errors[who] = error

    def over(self, who: str) -> None:
        """Somebody got an answer."""
        with self._lock:
            if self._errors.pop(who, None) is None or self._errors:
                return
            now_ns = clock.now_ns()
            if now_ns - self._since_ns > LOST_S * clock.NS_PER_S:
                note(self._directory, _words(now_ns - self._since_ns, self._first), self._since_ns, now_ns)

    def said(self) -> dict[str, Json]:
        """For pods.json: the error ("": there is none), and since when it is so."""
        with self._lock:
            error = next(iter(self._errors.values()), "")
            return {"error": error, "away_since_ns": self._since_ns if error else 0}


def note(directory: Path, what: str, from_ns: int = 0, to_ns: int = 0) -> None:
    """Write down what went wrong, by default just now."""
    now_ns = clock.now_ns()
    line = json.dumps({"from_ns": from_ns or now_ns, "to_ns": to_ns or now_ns, "what": what})
    with (directory / "undo" / FILE).open("a") as file:
        file.write(line + "\n")


def between(directory: Path, start_ns: int, end_ns: int) -> tuple[str, ...]:
    """What went wrong in a stretch of time, in a line each."""
    path = directory / "undo" / FILE
    rows: list[Any] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = [row["what"] for row in rows if row["from_ns"] < end_ns and row["to_ns"] >= start_ns]
    said = files.read_json(directory / "undo" / PODS) or {}
    since_ns = said.get("away_since_ns") or 0
    if since_ns and since_ns < end_ns and end_ns - since_ns > LOST_S * clock.NS_PER_S:
        found.append(_words(end_ns - since_ns, said["error"]) + ", and is away still")
    return tuple(found)


def _words(length_ns: int, error: str) -> str:
    return f"the cluster could not be asked for {length_ns / clock.NS_PER_S:.0f} s: {error}"

"""Replaces the login in a suite's files by a fresh one in the requests that are sent; made anew for each play."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_anomod.model.system import System

_MENTIONED = re.compile("authorization|cookie|token|api[_-]?key", re.IGNORECASE)


class Login:
    """Headers that let a user in, by lower-case name, and the text of the suite's files.

    Only what is written in the files is replaced. What a test got by a login of its own stays, and so does a request
    without any.
    """

    def __init__(self, headers: Mapping[str, str], text: str) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._text = text

    def replaced(self, name: str, value: str) -> str:
        """The value with which a header goes out."""
        fresh = self._headers.get(name.lower())
        if fresh is None:
            return value
        if name.lower() != "cookie":
            written = value.rpartition(" ")[2]
            return fresh if written and written in self._text else value
        cookies = dict(pairs(fresh))
        sent = [
            (cookie, cookies[cookie] if cookie in cookies and content and content in self._text else content)
            for cookie, content in pairs(value)
        ]
        return "; ".join(f"{cookie}={content}" for cookie, content in sent)


def log_in(system: System, entry_url: str, sources: Iterable[Path]) -> Login | None:
    """A fresh login; None when the system has none to give, or the suite's files mention none.

    The system's variables of the environment get it, too, for this process alone. What goes wrong with it is raised.
    """
    text = "\n".join(source.read_text(encoding="utf-8", errors="replace") for source in sources)
    variables = [name for name in system.login_variables if name in text]
    if system.login is None or not (variables or _MENTIONED.search(text)):
        return None
    headers = system.login(entry_url.rstrip("/"))
    for name in variables:
        os.environ[name] = _token(headers)
    return Login(headers, text)


def _token(headers: Mapping[str, str]) -> str:
    """What a variable of the environment gets: the bearer, or what the first cookie holds."""
    name, value = next(iter(headers.items()))
    return pairs(value)[0][1] if name.lower() == "cookie" else value.rpartition(" ")[2]


def pairs(cookies: str) -> list[tuple[str, str]]:
    """The cookies of a header as name and content."""
    parts = [part.strip().partition("=") for part in cookies.split(";") if part.strip()]
    return [(name, content) for name, _, content in parts]

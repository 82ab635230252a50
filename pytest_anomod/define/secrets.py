"""Finds values in a resolved compose document that must not be recorded: passwords, tokens, keys, contents of secrets.

It reads the files that hold secrets, and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pytest_anomod.model import redact
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.runtimes.compose.transform import plain

SHORTEST = 6
"""Shorter ones, and those that are names in the file, can't be told from ordinary words wherever they stand."""
FILE_BYTES = 4_096
_NOT_ITSELF = re.compile(
    r"_(?:FILE|URL|URI|PATH|HOST|PORT|ENABLED|TTL|NAME|HEADER|ISSUER|LENGTH|ALGORITHM|TYPE|EXPIR\w*|TIMEOUT\w*)$", re.I
)
_USERINFO = re.compile(r"://([^/\s:@]*):([^/\s@]+)@")


def secrets_of(document: Mapping[str, Any]) -> frozenset[str]:
    """All of them that are long enough, as containers get them."""
    names = {str(document.get("name", "")), *document["services"]}
    return frozenset(
        value for value in _values(document) if len(value) >= SHORTEST and value not in names and not value.isdigit()
    )


def keep(environments: Mapping[str, Mapping[str, str]], words: Mapping[str, Sequence[str]]) -> None:
    """Have secrets in the environments and words of processes, by service, replaced wherever they would be recorded."""
    services = {
        name: {"environment": environment, "command": list(words.get(name, ()))}
        for name, environment in environments.items()
    }
    redact.know(secrets_of({"services": services}))


def _values(document: Mapping[str, Any]) -> Iterator[str]:
    for service in document["services"].values():
        build = service.get("build") or {}
        for pairs in (service.get("environment"), build.get("args") if isinstance(build, Mapping) else None):
            for name, value in (pairs or {}).items():
                if value is not None:
                    yield from _in_variable(name, plain(str(value)))
        command = service.get("command") or []
        yield from _in_urls(plain(command if isinstance(command, str) else " ".join(map(str, command))))
    for entry in (document.get("secrets") or {}).values():
        yield from _in_secret(entry or {})


def _in_variable(name: str, value: str) -> Iterator[str]:
    yield from _in_urls(value)
    if is_secret_name(name) and not _NOT_ITSELF.search(name) and "://" not in value and not value.startswith("/"):
        yield value


def _in_urls(text: str) -> Iterator[str]:
    for found in _USERINFO.finditer(text):
        yield found[2]
        yield unquote(found[2])


def _in_secret(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("content"):
        yield plain(str(entry["content"])).strip()
    if entry.get("environment"):
        yield os.environ.get(entry["environment"], "").strip()
    if entry.get("file"):
        with contextlib.suppress(OSError, UnicodeDecodeError), Path(entry["file"]).open("rb") as file:
            yield file.read(FILE_BYTES).decode().strip()

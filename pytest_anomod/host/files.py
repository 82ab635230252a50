"""Small JSON files that survive a crash: written whole, synced, guarded by a lock against other processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pytest_anomod.model.fault import Json


def read_json(path: Path) -> dict[str, Json]:
    """The object in a file; empty when there is no file."""
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}


def write_json(path: Path, document: Json) -> None:
    """Replace a file by a JSON document, durably: a reader sees the old one or the new one, whatever happens."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(document).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


@contextlib.contextmanager
def edited(path: Path) -> Iterator[dict[str, Json]]:
    """The object in a file, to be changed in place; written back at the end, unless nothing changed or it raised."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = read_json(path)
        before = json.dumps(document)
        yield document
        if json.dumps(document) != before:
            write_json(path, document)
    finally:
        os.close(lock)

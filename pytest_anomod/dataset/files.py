"""Writes files that appear whole or not at all, and turns disk errors into messages."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import io
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pytest_anomod.model import fast_json
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
REFUSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
TEMPORARY_SUFFIX = ".tmp"


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write that gets its name only once all of it is on disk; DatasetError for an error of the disk.

    In an object store it is one object, which is there as a whole or not at all.
    """
    if not isinstance(path, Path):
        with io.BytesIO() as held:
            yield held
            path.write_bytes(held.getvalue())
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        raise refusal(error, path) from error
    finally:
        # a volume that went read-only keeps the temporary file; its name tells that it is none of the dataset's
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, document: Json) -> None:
    """Write a document as JSON, atomically. NaN and infinity, which JSON has no words for, become null."""
    try:
        text = fast_json.indented(plain(document))
        data = (text + "\n").encode("utf-8")
    except (TypeError, ValueError) as error:
        msg = f"{path} can't be written: its content is not JSON ({error})"
        raise DatasetError(msg) from error
    with atomic(path) as file:
        file.write(data)


def plain(value: Json) -> Json:
    """The value made of dicts, lists, strings, numbers, booleans and None only; TypeError for what has no such form."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a numpy scalar, as figures in a finding's evidence often are
        return plain(value.item())
    msg = f"{type(value).__name__} value {value!r:.80}"
    raise TypeError(msg)


def refusal(error: OSError, path: Path) -> DatasetError:
    """An error of the disk as a DatasetError that says what to do."""
    if error.errno in FULL:
        where = existing_parent(path)
        return DatasetError(
            f"{path} can't be written: {os.strerror(error.errno)}, {free_bytes(where):,} bytes free on the volume of "
            f"{where}; free some space (or raise the limit on file size), or put the dataset elsewhere"
        )
    if error.errno in REFUSED:
        return DatasetError(
            f"{path} can't be written: {os.strerror(error.errno)}; make the directory writable for this user, "
            "or put the dataset elsewhere"
        )
    return DatasetError(f"{path} can't be written: {error}; put the dataset elsewhere, or look after the disk")


def existing_parent(path: Path) -> Path:
    """The nearest directory on the way up that exists."""
    return next((parent for parent in path.parents if parent.is_dir()), Path("/"))


def free_bytes(directory: Path) -> int:
    """Bytes a user may still write on the volume of a directory."""
    stats = os.statvfs(directory)
    return stats.f_bavail * stats.f_frsize


def sync_directory(directory: Path) -> None:
    """Make a rename in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_temporary(path: Path) -> bool:
    """True for what an interrupted write left."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY_SUFFIX)


@contextlib.contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold an exclusive lock on a directory itself, across processes; no lock file is left behind.

    An object store has no locks: there the last one to write is right.
    """
    if not isinstance(directory, Path):
        yield
        return
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            msg = f"{directory} can't be locked ({error}), its file system has no locks; put the dataset elsewhere"
            raise DatasetError(msg) from error
        yield
    finally:
        os.close(descriptor)

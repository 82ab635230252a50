"""Sends cases to an object store as soon as they are complete, case.json last.

They are recorded in a directory of this machine that belongs to the store's URL, and stay there until the whole case is
in the store. If the run is killed, or the store is not reachable, the next run to that URL sends them.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pytest_anomod.dataset import files, layout
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model.errors import DatasetError


def waiting_room(url: str) -> Path:
    """The directory of this machine in which cases of a store are recorded and kept until they are sent."""
    return make_directory(state_root() / "out" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16])


def check_store(url: str) -> None:
    """DatasetError when a store can't be reached or written to; called before a system is brought up for nothing."""
    probe = layout.place(url) / f".anomod-{uuid.uuid4().hex}{files.TEMPORARY_SUFFIX}"
    with _told(url):
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"?")
        probe.unlink()


def send_case(directory: Path, url: str) -> bool:
    """Copy a whole case to the store, see that all of it is there, and remove it here; False when it was gone.

    DatasetError when it is no whole case, or the store does not take it: then it stays. Sending it again is fine.
    """
    room = directory.parents[2]
    with files.directory_lock(room):  # another worker may send what was left here
        if not directory.is_dir():
            return False
        manifest = layout.read_manifest(directory)
        there = layout.place(url) / directory.relative_to(room).as_posix()
        with _told(url):
            there.mkdir(parents=True, exist_ok=True)
            for name, told in manifest["files"].items():
                _send(directory / name, there / name, told["bytes"])
            head = directory / layout.CASE_FILE
            _send(head, there / layout.CASE_FILE, head.stat().st_size)
        shutil.rmtree(directory)
    return True


def send_all(url: str) -> int:
    """Send the complete cases that are kept for a store; return how many. Incomplete ones stay."""
    room = waiting_room(url)
    whole = [directory for directory in layout.case_directories(room) if layout.is_complete(directory)]
    return sum(send_case(directory, url) for directory in whole)


def _send(here: Path, there: Path, size: int) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(here.read_bytes())  # one object, there as a whole or not at all
    if (arrived := there.stat().st_size) != size:
        msg = f"{there} has {arrived} bytes, where {here} has {size}; look after the store"
        raise DatasetError(msg)


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn the errors of a store's own library into ours."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # s3fs, gcsfs and the others each have their own, botocore's and aiohttp's among them
        msg = f"{url} can't be written: {type(error).__name__}: {error}; look after the store and its credentials"
        raise DatasetError(msg) from error

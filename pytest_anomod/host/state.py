"""Where everything of ours is kept while it runs: one private directory per user."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from pytest_anomod.model.errors import SafetyError

STATE_DIR = "ANOMOD_STATE_DIR"


def state_root() -> Path:
    """The private directory of this user, made if need be; SafetyError when it can't be had or isn't ours alone.

    $ANOMOD_STATE_DIR, or anomod-<uid> in the directory for temporary files. All sessions of a user must share it:
    locks and the search for leftovers begin here.
    """
    chosen = os.environ.get(STATE_DIR)
    root = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"anomod-{os.getuid()}"
    root = root.absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.lstat()
    except OSError as error:
        msg = f"the state directory {root} can't be made: {error.strerror or error}; set {STATE_DIR} to one that can"
        raise SafetyError(msg) from error
    if stat.S_ISLNK(status.st_mode) or not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        msg = f"the state directory {root} is not a directory of ours alone; remove it or set {STATE_DIR}"
        raise SafetyError(msg)
    if stat.S_IMODE(status.st_mode) & 0o077:
        root.chmod(0o700)
    return root


def make_directory(path: Path) -> Path:
    """Make a private directory below the state root; SafetyError when it can't be written."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"can't write below {path.parent}: {error.strerror or error}; set {STATE_DIR} to a directory that takes it"
        )
        raise SafetyError(msg) from error
    return path

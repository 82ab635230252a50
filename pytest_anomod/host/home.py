"""The user's home, if there is one, and the cache, which is in the state directory for a user without a home."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_anomod.host.state import state_root

FOLDER = "pytest-anomod"


def home() -> Path | None:
    """The user's home; None for a user without a name and without HOME, as containers run them."""
    found = os.path.expanduser("~")  # "~" where there is none; Path.home() raises
    return Path(found) if os.path.isabs(found) else None


def cache_directory() -> Path:
    """Where what is costly to make is kept over runs; not made.

    pytest-anomod in $XDG_CACHE_HOME or ~/.cache, else `cache` in the state directory (SafetyError when that can't be
    had), as replicas/kit/cache.py has it for its own.
    """
    chosen = os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen, FOLDER)
    mine = home()
    usual = mine / ".cache" / FOLDER if mine is not None else None
    return usual if usual is not None and _can_be(usual) else state_root() / "cache"


def _can_be(directory: Path) -> bool:
    """Whether a directory is there, or can be made."""
    if directory.is_dir():
        return True
    there = next(parent for parent in directory.parents if os.path.exists(parent))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)

"""Where the kit keeps what is made once for many deployments: in the user's cache, or wherever it can be kept."""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "pytest-anomod"


@functools.cache
def cache_directory() -> tuple[Path, str]:
    """A directory of ours that can be written, and a sentence that says where it is unless it is in the user's cache.

    That is the cache, else the state directory, else a directory that is removed when this process ends.
    """
    refusals: list[str] = []
    for candidate in _candidates():
        try:
            candidate.mkdir(parents=True, exist_ok=True, mode=0o700)
            # what lies below the directory for temporary files may be somebody's trap; a cache was chosen
            trusted = candidate.name == FOLDER or candidate.stat().st_uid == os.getuid()
            if trusted and os.access(candidate, os.W_OK | os.X_OK):
                return candidate, _sentence(candidate, refusals)
            refusals.append(f"{candidate} is not ours to write")
        except OSError as error:
            refusals.append(f"{candidate}: {error.strerror}")
    private = Path(tempfile.mkdtemp(prefix="anomod-cache-"))
    atexit.register(_remove, private, os.getpid())
    return private, _sentence(private, refusals)


def _candidates() -> Iterator[Path]:
    home = os.path.expanduser("~")  # "~" for a user without one
    cache = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if os.path.isabs(home) else "")
    if cache:
        yield Path(cache, FOLDER)
    state = os.environ.get("ANOMOD_STATE_DIR") or f"{tempfile.gettempdir()}/anomod-{os.getuid()}"
    yield Path(state).absolute() / "cache"


def _sentence(taken: Path, refusals: list[str]) -> str:
    why = "; ".join(refusals) or "this user has no home"
    in_cache = taken.name == FOLDER
    return "" if in_cache else f"no cache of the user ({why}): the empty PostgreSQL cluster is kept in {taken}"


def _remove(directory: Path, maker: int) -> None:
    if os.getpid() == maker:  # and not a service that was forked from it
        shutil.rmtree(directory, ignore_errors=True)

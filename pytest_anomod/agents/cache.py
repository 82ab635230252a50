"""Where fetched agents are kept: a directory for each language and set of pins, whole or not there at all.

$ANOMOD_AGENTS, else `agents` in the user's cache (host/home.py). Such a directory may be copied to machines
without a network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_anomod.agents.language import INSIDE, FetchError, Language
from pytest_anomod.host.home import cache_directory
from pytest_anomod.model.fault import Json

PLACE = "ANOMOD_AGENTS"
MANIFEST = "MANIFEST.json"


def root() -> Path:
    """The directory of all agents; it need not be there."""
    chosen = os.environ.get(PLACE)
    return Path(chosen).absolute() if chosen else cache_directory() / "agents"


def directory(language: Language, below: Path | None = None) -> Path:
    """Where the agents of a language are, or would be: another one for each set of pins."""
    pins = json.dumps([dataclasses.asdict(one) for one in language.artefacts], sort_keys=True)
    return (below or root()) / f"{language.name}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"


def ready(language: Language) -> Path | None:
    """The directory of a language's agents if they are there; those that need none have our own."""
    if not language.artefacts:
        return INSIDE
    place = directory(language)
    return place if (place / MANIFEST).is_file() else None


def fetch(language: Language, offline: Path | None = None) -> Path:
    """Have the agents of a language in the cache; return at once if they are. FetchError says what failed.

    `offline` is the cache of another machine, from which they are copied instead of downloaded.
    """
    there = ready(language)
    if there is not None:
        return there
    place = directory(language)
    with _locked(place):
        if (place / MANIFEST).is_file():  # somebody else was quicker
            return place
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            made.chmod(0o755)  # whoever a container runs as can read it
            if offline is not None:
                _copy(language, offline, made)
            else:
                language.fetch(made)
                _write_manifest(language, made)
            if place.exists():  # it has no manifest: an older version was cut off
                shutil.rmtree(place)
            made.rename(place)
    return place


def problems(language: Language) -> list[str]:
    """What is wrong with the agents of a language that are there, a line each."""
    place = ready(language)
    return [f"not fetched: no {directory(language)}"] if place is None else list(_differences(place))


def _copy(language: Language, offline: Path, made: Path) -> None:
    source = directory(language, offline.absolute())
    if not (source / MANIFEST).is_file():
        how = f"{PLACE}={offline} anomod agents fetch {language.name}"
        msg = f"{offline} has no {source.name}: on a machine with a network, with this version of ours, run {how}"
        raise FetchError(msg)
    shutil.copytree(source, made, symlinks=True, dirs_exist_ok=True)
    wrong = next(_differences(made), "")
    if wrong:
        msg = f"{source} is not as it was fetched: {wrong}"
        raise FetchError(msg)


def _write_manifest(language: Language, made: Path) -> None:
    document: dict[str, Json] = {
        "language": language.name,
        "artefacts": [dataclasses.asdict(one) for one in language.artefacts],
        "files": dict(_digests(made)),
    }
    (made / MANIFEST).write_text(json.dumps(document, indent=1, sort_keys=True))


def _differences(place: Path) -> Iterator[str]:
    try:
        known: dict[str, str] = json.loads((place / MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError) as error:
        yield f"{place / MANIFEST} can't be read: {error}"
        return
    found = dict(_digests(place))
    for name in sorted({*known, *found}):
        if known.get(name) != found.get(name):
            how = "is missing" if name not in found else "was added" if name not in known else "was changed"
            yield f"{place / name} {how}"


def _digests(place: Path) -> Iterator[tuple[str, str]]:
    """Each file below a directory, the manifest aside, and its sha256; of a link where it points to."""
    for folder, folders, names in os.walk(place):
        if "__pycache__" in folders:
            folders.remove("__pycache__")  # made where they run
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(place).as_posix()
            if relative == MANIFEST:
                continue
            content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            yield relative, hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """One process at a time fetches; FetchError when the cache can't be written."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place.parent / f".{place.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"the cache of agents {place.parent} can't be written: {error.strerror}; set {PLACE} to one that can"
        raise FetchError(msg) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

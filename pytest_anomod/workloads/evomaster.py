"""Finds an installed EvoMaster, runs it on a system that is up, and keeps the suite it writes; downloads nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_anomod.host import engine, files
from pytest_anomod.host.calls import call_json
from pytest_anomod.host.home import cache_directory, home
from pytest_anomod.host.probes import DOCUMENTS
from pytest_anomod.model.errors import CaptureError, DeploymentError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import System
from pytest_anomod.workloads.login_proxy import login_proxy, placeholders

JAR = "ANOMOD_EVOMASTER_JAR"
IMAGE = "webfuzzing/evomaster"
USUAL_S = 60
SPARE_S = 300.0
"""How much longer than its time for searching EvoMaster may take, to begin and to write."""
GRACE_S = 10.0
MADE = "made.json"
_LENGTH = re.compile(r"(?:(\d+)m)?(?:(\d+)s?)?")
_UNKNOWN_OPTION = re.compile(r"bbSwaggerUrl is not a recognized option|unrecognized.{0,20}bbSwaggerUrl", re.I)
_ASKED_S = 20.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An EvoMaster of this machine: how it is called, what tells it from another version, where it was found.

    `mounts`: it runs in a container, and sees a folder only if that is mounted.
    """

    command: tuple[str, ...]
    version: str
    found: str
    mounts: bool = False

    def words(self, folder: Path) -> list[str]:
        """The command that can write to a folder."""
        if not self.mounts:
            return list(self.command)
        options = ["--name", folder.name, "-v", f"{folder}:{folder}", "-w", str(folder), "-e", f"HOME={folder}"]
        return [*self.command[:-1], *options, self.command[-1]]


def find() -> Program:
    """ANOMOD_EVOMASTER_JAR, `evomaster` on PATH, the newest jar in ~/.evomaster, or the image; ScenarioError for none.

    PyPI's `evomaster` is a wrapper that downloads the program when it is first called: it is taken only once it has.
    """
    for way in (_named, _on_path, _at_home, _image):
        program = way()
        if program is not None:
            return program
    msg = (
        f"there is no EvoMaster on this machine: set {JAR} to evomaster.jar (needs java), put `evomaster` on PATH, or "
        f"docker pull {IMAGE}; nothing is downloaded from here"
    )
    raise ScenarioError(msg)


def seconds(argument: str) -> int:
    """How long it may search: 60s, 2m, 90; USUAL_S for nothing. ScenarioError for anything else."""
    found = _LENGTH.fullmatch(argument)
    if found is None or (argument and not any(map(int, filter(None, found.groups())))):
        msg = f"evomaster:{argument}: a length of time is wanted, such as evomaster:60s or evomaster:2m"
        raise ScenarioError(msg)
    return 60 * int(found[1] or 0) + int(found[2] or 0) if argument else USUAL_S


def document_of(entry_url: str) -> tuple[str, Json]:
    """Path and content of the OpenAPI document of a system that is up; ScenarioError when no usual path has it."""
    for path in DOCUMENTS:
        try:
            url = entry_url.rstrip("/") + path
            document = call_json(url, who="the OpenAPI document", verb="GET", timeout_s=_ASKED_S)
        except DeploymentError:
            continue
        if isinstance(document, dict) and isinstance(document.get("paths"), dict):
            return path, document
    msg = f"evomaster needs an OpenAPI document, and the system at {entry_url} has none at {', '.join(DOCUMENTS)}"
    raise ScenarioError(msg)


def place(system: System, document: Mapping[str, Json], program: Program, *, seed: int, search_s: int) -> Path:
    """Where the suite for all of this is kept, made or not. Where the document says the system is does not count."""
    content = json.dumps({**document, "servers": None, "host": None}, sort_keys=True).encode()
    made = {
        "system": system.name, "document": hashlib.sha256(content).hexdigest(), "version": program.version,
        "seed": seed, "seconds": search_s,
    }  # fmt: skip
    key = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / f"{system.name}-{key}" / f"evomaster-{search_s}s"


def cache_folder() -> Path:
    """Where generated suites are kept."""
    return cache_directory() / "suites"


def is_made(folder: Path) -> bool:
    """Whether a suite was written there to its end."""
    return (folder.parent / MADE).exists()


def generate(
    program: Program, system: System, entry_url: str, folder: Path, *, path: str, seed: int, search_s: int
) -> None:
    """Have it write its suite into `folder`, with a system that nobody else uses. CaptureError with its last words."""
    log_in = system.login
    headers = dict(log_in(entry_url)) if log_in is not None else {}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="evomaster-", dir=folder.parent) as scratch,
        login_proxy(entry_url, lambda: dict(log_in(entry_url)) if log_in is not None else {}) as (url, without_secrets),
    ):
        written = Path(scratch, "suite")
        words = _arguments(url, path, written, placeholders(headers), seed=seed, search_s=search_s)
        told = _run(program, words, Path(scratch), search_s + SPARE_S)
        if told and _UNKNOWN_OPTION.search(told):
            words = [_NEWER.get(word, word) for word in words]
            told = _run(program, words, Path(scratch), search_s + SPARE_S)
        _keep(written, folder, without_secrets, told)
    made = {"version": program.version, "seed": seed, "seconds": search_s, "command": words, "system": system.name}
    files.write_json(folder.parent / MADE, made)


_NEWER = {"--bbSwaggerUrl": "--schema", "--bbTargetUrl": "--base"}
"""What later versions call these options."""


def _arguments(url: str, path: str, folder: Path, headers: Mapping[str, str], *, seed: int, search_s: int) -> list[str]:
    logins = [word for n, (name, value) in enumerate(headers.items()) for word in (f"--header{n}", f"{name}:{value}")]
    return [
        "--blackBox", "true", "--problemType", "REST", "--bbSwaggerUrl", url + path, "--bbTargetUrl", url,
        "--outputFormat", "PYTHON_UNITTEST", "--outputFolder", str(folder), "--maxTime", f"{search_s}s",
        "--seed", str(seed), *logins,
    ]  # fmt: skip


def _run(program: Program, words: list[str], folder: Path, timeout_s: float) -> str:
    """Run it to its end in a process group of its own; what it said if it failed, else ""."""
    with (folder / "output.txt").open("w+b") as output:
        child = subprocess.Popen(
            [*program.words(folder), *words],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            code: int | str = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = f"none within {timeout_s:.0f} s"
        finally:
            _end(child)
            if program.mounts and child.returncode < 0:  # a client that was killed leaves its container
                _docker("rm", "--force", folder.name)
        output.seek(0)
        return "" if code == 0 else f"exit code {code}: {output.read()[-3000:].decode('utf-8', 'replace')}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, however it came to that: asked first, for only so a container ends with it."""
    try:
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # what it started, too
        child.wait()


def _keep(written: Path, folder: Path, without_secrets: Callable[[str], str], told: str) -> None:
    """Move what was written to its place, and no secret with it."""
    if told or not any(written.glob("*.py")):
        msg = f"evomaster wrote no suite: {without_secrets(told)[-1000:].strip() or 'no *.py file in its folder'}"
        raise CaptureError(msg)
    for source in filter(Path.is_file, written.rglob("*")):
        text = source.read_bytes().decode("utf-8", "surrogateescape")
        source.write_bytes(without_secrets(text).encode("utf-8", "surrogateescape"))
    shutil.rmtree(folder, ignore_errors=True)
    written.rename(folder)


def _named() -> Program | None:
    jar = os.environ.get(JAR)
    if not jar:
        return None
    if not Path(jar).is_file():
        msg = f"{JAR}={jar}: there is no such file"
        raise ScenarioError(msg)
    return _jar(Path(jar), JAR)


def _on_path() -> Program | None:
    command = shutil.which("evomaster")
    if command is None or (_is_wrapper(Path(command)) and not any(_jars())):
        return None
    return Program(command=(command,), version=f"{Path(command).name} {_stamp(Path(command).resolve())}", found=command)


def _at_home() -> Program | None:
    return _jar(max(_jars(), key=_stamp), "~/.evomaster") if any(_jars()) and shutil.which("java") else None


def _image() -> Program | None:
    if shutil.which("docker") is None or engine.why_not():
        return None
    version = _docker("image", "inspect", "--format", "{{.Id}}", IMAGE)
    if not version:
        return None
    # what it writes must be ours; to an engine without root, we are its root
    is_rootless = "rootless" in _docker("info", "--format", "{{.SecurityOptions}}")
    owner = () if is_rootless else (f"--user={os.getuid()}:{os.getgid()}",)
    command = ("docker", "run", "--rm", "--pull", "never", "--network", "host", *owner, IMAGE)
    return Program(command=command, version=version, found=f"image {IMAGE}", mounts=True)


def _docker(*words: str) -> str:
    """What docker answers; "" when it refuses."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=_ASKED_S)
    return "" if done.returncode else done.stdout.strip()


def _jar(jar: Path, found: str) -> Program:
    java = shutil.which("java")
    if java is None:
        msg = f"{jar} ({found}) needs java, and there is none on PATH"
        raise ScenarioError(msg)
    version = f"{jar.parent.name} {_stamp(jar)}"
    return Program(command=(java, "-jar", str(jar)), version=version, found=f"{jar} ({found})")


def _jars() -> Iterator[Path]:
    mine = home()
    return mine.glob(".evomaster/evomaster/*/evomaster.jar") if mine is not None else iter(())


def _stamp(file: Path) -> str:
    """What tells a file from another version of it, without reading all of it."""
    status = file.stat()
    return f"{status.st_mtime_ns} {status.st_size}"


def _is_wrapper(command: Path) -> bool:
    """Whether a command is a Python script, as PyPI's wrapper is."""
    with command.open("rb") as file:
        return b"python" in file.readline(200)

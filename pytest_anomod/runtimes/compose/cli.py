"""The compose command of this machine: where it is, which version, and calls of it that end with us."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from pytest_anomod.host import processes
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.redact import redact_text
from pytest_anomod.model.runtime import UndoLog

OLDEST = (2, 24)
"""The first version with `!reset` and `!override` and with all keys that we read from its JSON."""
ASK_LIMIT_S = 20.0
LINES_SAID = 6


@functools.cache
def find() -> tuple[tuple[str, ...], str]:
    """The words that begin a compose command, and its version; DeploymentError says what is missing.

    The plugin of the docker command is taken before a program named docker-compose.
    """
    seen = []
    for words in (("docker", "compose"), ("docker-compose",)):
        path = shutil.which(words[0])
        if path is None:
            continue
        version = _version_of((path, *words[1:]))
        if _is_new_enough(version):
            return (path, *words[1:]), version
        seen.append(f"`{' '.join(words)}` " + (f"is version {version}" if version else "gives no version"))
    wanted = ".".join(map(str, OLDEST))
    found = f" ({'; '.join(seen)})" if seen else ""
    msg = f"no docker compose {wanted} or newer here{found}: install Docker's compose plugin, or docker-compose on PATH"
    raise DeploymentError(msg)


def why_not() -> str:
    """Why there is no compose command that we can use; "" when there is one."""
    try:
        find()
    except DeploymentError as error:
        return str(error)
    return ""


def ask(arguments: Sequence[str]) -> tuple[str, str]:
    """Run a short compose command that changes nothing; its output, and what it warned of. DeploymentError if it fails.

    Only the first line of an error is kept, without secrets.
    """
    words, _ = find()
    try:
        done = subprocess.run(
            [*words, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ASK_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        msg = f"`{' '.join(words)} config` did not end within {ASK_LIMIT_S:g} s"
        raise DeploymentError(msg) from error
    warnings, errors = _sorted(done.stderr)
    if done.returncode:
        raise DeploymentError("; ".join(errors[:1]) or f"compose ended with code {done.returncode}")
    return done.stdout, "\n".join(warnings)


def run(arguments: Sequence[str], *, tag: str, undo: UndoLog, limit_s: float, environment: Mapping[str, str]) -> None:
    """Run a compose command that changes something; DeploymentError with its last words if it fails.

    It carries the tag of its deployment and is in the undo journal, so that it does not outlive us. An interrupt ends
    it.
    """
    words, _ = find()
    process = subprocess.Popen(
        [*words, "--progress", "quiet", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**environment, processes.TAG: tag},
    )
    entry = undo.record({"op": "process", "pid": process.pid, "start_time": processes.start_time(process.pid)})
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        msg = f"`compose {_verb(arguments)}` did not end within {limit_s:g} s"
        raise DeploymentError(msg) from error
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        undo.done(entry)
    if process.returncode:
        _, errors = _sorted(said)
        msg = f"`compose {_verb(arguments)}` failed: {'; '.join(errors[-LINES_SAID:]) or process.returncode}"
        raise DeploymentError(msg)


def _verb(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if word in ("up", "build", "pull", "config")), arguments[-1])


def _version_of(words: Sequence[str]) -> str:
    try:
        said = subprocess.run(
            [*words, "version", "--short"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ASK_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip().removeprefix("v") if said.returncode == 0 else ""


def _is_new_enough(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST


def _sorted(stderr: str) -> tuple[list[str], list[str]]:
    """Warnings and errors of compose's standard error, a line each, without secrets."""
    warnings: list[str] = []
    errors: list[str] = []
    for line in stderr.splitlines():
        text = redact_text(line.strip())
        logged = re.search(r'level=(\w+) msg="(.*)"', text)
        if logged:
            (warnings if logged[1] in ("warning", "info", "debug") else errors).append(logged[2].replace('\\"', '"'))
        elif text:
            errors.append(text)
    return warnings, errors

"""Finds out what this machine is and can do, without changing it: kernel, memory, Docker, Pythons, wheels.

What can only be found by trying is tried in isolation: network rules in a network namespace of their own.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import language, offered
from pytest_anomod.host import cgroups
from pytest_anomod.host.state import state_root
from pytest_anomod.model.errors import SafetyError
from pytest_anomod.runtimes.compose import cli as compose_cli

PYTHONS = ("3.11", "3.12", "3.13")
DOCKER_LIMIT_S = 1
TRIAL_LIMIT_S = 5.0
MIB = 1 << 20
_PAGE = 4096
_NETEM = ("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
_STATISTIC = ("iptables", "-A", "INPUT", "-m", "statistic", "--mode", "random", "--probability", "0.5", "-j", "DROP")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts. Texts that begin with `no_` say why something can't be had, and are empty when it can."""

    system: str  # Linux | Darwin | ...
    description: str
    cores: int
    python: str
    pythons: tuple[str, ...]  # of PYTHONS, those that are installed
    missing_wheels: tuple[str, ...]
    available_mib: int | None  # of memory; None where that can't be told
    no_shared_memory: str
    state_directory: str
    no_state: str
    state_filesystem: str
    state_free_mib: int
    pidfd: bool
    docker: str  # version of the daemon
    no_docker: str
    compose: str  # version of the compose command
    no_compose: str
    image: str  # name of the image
    no_image: str
    auto: str  # the runtime that `auto` takes, and why
    cgroup: int  # version; 0 for none
    cgroup_writable: bool
    no_pressure: str
    no_netem: str
    no_statistic: str
    blade_home: str
    blade_lacks: tuple[str, ...]
    evomaster: str
    no_evomaster: str
    go: str
    agents: tuple[tuple[str, str], ...] = ()
    """Languages, and where what runs in their services is; "" for what is not fetched."""


def survey(
    *, blade_home: str = "", blade_lacks: Sequence[str] = (), evomaster: str = "", no_evomaster: str = ""
) -> Machine:
    """This machine, in about a second; the caller passes what is known of ChaosBlade and EvoMaster."""
    directory, no_state = _state_directory()
    docker, no_docker = ask_docker()
    image, no_image = _image() if docker else ("", "")
    no_compose = compose_cli.why_not()
    return Machine(
        system=platform.system(),
        description=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        pythons=tuple(version for version in PYTHONS if find_python(version)),
        missing_wheels=missing_wheels(),
        available_mib=available_mib(Path("/proc/meminfo")),
        no_shared_memory=_try_shared_memory(),
        state_directory=str(directory),
        no_state=no_state,
        state_filesystem=filesystem(directory, Path("/proc/self/mounts")),
        state_free_mib=shutil.disk_usage(directory).free // MIB if directory.exists() else 0,
        pidfd=hasattr(os, "pidfd_open"),
        docker=docker,
        no_docker=no_docker,
        compose="" if no_compose else compose_cli.find()[1],
        no_compose=no_compose,
        image=image,
        no_image=no_image,
        auto=_auto(),
        cgroup=cgroup_version(Path("/sys/fs/cgroup")),
        cgroup_writable=cgroups.may_write(),
        no_pressure=no_pressure(Path("/proc/pressure/cpu")),
        no_netem=no_netem(),
        no_statistic=try_in_namespace(_STATISTIC),
        blade_home=blade_home,
        blade_lacks=tuple(blade_lacks),
        evomaster=evomaster,
        no_evomaster=no_evomaster,
        go=_first_line(["go", "version"]),
        agents=_agents(),
    )


def _agents() -> tuple[tuple[str, str], ...]:
    found = [language(name) for name in offered()]
    return tuple((one.name, str(cache.ready(one) or "")) for one in found if one.artefacts)


def find_python(version: str) -> str:
    """Where a Python such as 3.12 is: this one, on PATH, or kept by pyenv; "" when it is nowhere."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    root = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    kept = sorted(str(path) for path in root.glob(f"versions/{version}.*/bin/python{version}"))
    if kept:
        return kept[-1]
    found = shutil.which(f"python{version}")
    # a shim of pyenv is there for versions that are not chosen, too
    return found if found and _first_line([found, "--version"]).startswith(f"Python {version}.") else ""


def missing_wheels(extra: str = "replicas") -> tuple[str, ...]:
    """Distributions that an extra of ours names and that are not installed."""
    missing = []
    for requirement in importlib.metadata.requires("pytest-anomod") or ():
        name, _, marker = requirement.partition(";")
        found = re.match(r"[A-Za-z0-9._-]+", name.strip())
        if found and re.search(rf"extra\s*==\s*['\"]{extra}['\"]", marker):
            try:
                importlib.metadata.version(found[0])
            except importlib.metadata.PackageNotFoundError:
                missing.append(found[0])
    return tuple(missing)


def available_mib(path: Path) -> int | None:
    """Memory that can be had without swapping; None where /proc does not tell."""
    with contextlib.suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE)
        return int(found[1]) // 1024 if found else None
    return None


def cgroup_version(root: Path) -> int:
    """2 for the unified hierarchy, 1 for one per controller, 0 for none."""
    if (root / "cgroup.controllers").exists():
        return 2
    return 1 if (root / "cpu").is_dir() or (root / "memory").is_dir() else 0


def no_pressure(path: Path) -> str:
    """Why pressure stall information can't be read, or ""; reading tries it, for a kernel may have it turned off."""
    try:
        return "" if path.read_text().startswith("some ") else f"{path} is in another form"
    except OSError as error:
        return f"{path}: {error.strerror}"


def filesystem(directory: Path, mounts: Path) -> str:
    """Kind of the file system a directory is on; "" where that can't be told."""
    best = ("", "")
    with contextlib.suppress(OSError):
        for fields in (line.split() for line in mounts.read_text().splitlines()):
            mount = fields[1].replace("\\040", " ")
            if directory.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, fields[2])
    return best[1]


def no_netem() -> str:
    """Why the kernel can't delay and lose packets by a queue, or ""."""
    return try_in_namespace(_NETEM)


def try_in_namespace(words: Sequence[str]) -> str:
    """Try a network command in a namespace of its own, which ends with it; why it does not work, or ""."""
    for program in ("unshare", words[0]):
        if shutil.which(program) is None:
            return f"no {program} here"
    own = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    try:
        tried = subprocess.run(
            [*own, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{words[0]} could not be tried: {error}"
    said = tried.stderr.strip().splitlines()
    return "" if tried.returncode == 0 else (said[-1] if said else f"{words[0]} ended with {tried.returncode}")


def ask_docker() -> tuple[str, str]:
    """Version of the Docker daemon, or why there is none."""
    import docker

    where = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        client = docker.from_env(timeout=DOCKER_LIMIT_S)
        try:
            return str(client.version()["Version"]), ""
        finally:
            client.close()
    except Exception as error:
        # the way to a daemon has many layers (docker, requests, urllib3, sockets), each with errors of its own
        words = re.findall(r"[A-Z][A-Za-z ]*(?= ?['\")]|$)", str(error))
        return "", f"no daemon answers at {where} ({type(error).__name__}{': ' + words[-1] if words else ''})"


def _image() -> tuple[str, str]:
    """Name of the image that the runtime `docker` would take, and why it is not there."""
    from pytest_anomod.model import catalog

    if "docker" not in catalog.offers("runtimes"):
        return "", "no runtime of ours uses it"
    import docker

    from pytest_anomod.runtimes.docker.image import image_name

    name = image_name()
    client = docker.from_env(timeout=DOCKER_LIMIT_S)
    try:
        client.images.get(name)
    except Exception as error:
        # as above; absence is the usual one
        return name, "not built yet" if type(error).__name__ == "ImageNotFound" else str(error)
    finally:
        client.close()
    return name, ""


def _auto() -> str:
    from pytest_anomod.runtimes.choice import look

    found = look()
    return f"{found.runtime}, for {found.why}"


def _state_directory() -> tuple[Path, str]:
    try:
        root = state_root()
    except SafetyError as error:
        return Path(os.environ.get("ANOMOD_STATE_DIR") or "/tmp"), str(error)
    return root, "" if os.access(root, os.W_OK) else f"{root} can't be written"


def _try_shared_memory() -> str:
    """Why no System V segment can be made, or "": one is made and removed."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, _PAGE, 0o600 | 0o1000)
    if segment < 0:
        return os.strerror(ctypes.get_errno())
    libc.shmctl(segment, 0, None)
    return ""


def _first_line(argv: Sequence[str]) -> str:
    try:
        said = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRIAL_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip().partition("\n")[0] if said.returncode == 0 else ""

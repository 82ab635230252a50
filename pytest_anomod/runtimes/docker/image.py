"""Makes the one image of all replica services and stores; its name is a hash of its content.

It is made without a registry of images: of a Debian root file system (mmdebstrap), the wheels that the extra `replicas`
names, and the replicas' source. With a registry, any image with a Python can replace the root file system.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_anomod
from pytest_anomod.host.home import cache_directory
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.engine import translated

if TYPE_CHECKING:
    import docker

REPOSITORY = "pytest-anomod"
CONTENT = "pytest-anomod.content"
"""Label of the image: the hash of all that is in it, the base excepted."""
IMAGE = "ANOMOD_DOCKER_IMAGE"
"""Environment variable that names another image, one from a registry say."""
SUITE = "bookworm"
PACKAGES = ("python3", "iproute2", "iptables", "libstdc++6")
PROGRAM_LIMIT_S = 300.0
"""How long mmdebstrap, or pip, may take; each takes less than a minute where the network is there."""
_END_S = 10.0
_LEFT_OUT = ("doc", "man", "locale")
_TRIMMED = ("**/falkordb.so", "**/*.a", "**/include", "**/__pycache__", "bin")
"""Of the libraries: modules of servers that no store loads, and what is only needed to build against them."""
_PACKAGE = Path(pytest_anomod.__file__).parent
_FOLDER = Path(__file__).with_name("recipes")
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_INIT = '"""The part of pytest-anomod that runs inside a system."""\n'


def image_name() -> str:
    """The image that belongs to this very code, or the one that ANOMOD_DOCKER_IMAGE names."""
    return os.environ.get(IMAGE) or f"{REPOSITORY}:{content_hash()}"


@functools.cache
def content_hash() -> str:
    """Twelve hex digits of everything in the image that is ours to choose."""
    digest = hashlib.sha256()
    for recipe in sorted(_FOLDER.glob("*Dockerfile")):
        digest.update(recipe.read_bytes())
    digest.update(repr((requirements(), SUITE, PACKAGES)).encode())
    for path in _sources():
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def requirements() -> tuple[str, ...]:
    """The libraries of the replicas, each in the version that is installed here, if it is."""
    names = ["psutil"]
    for text in importlib.metadata.requires("pytest-anomod") or ():
        match = re.match(r"([A-Za-z0-9._-]+)([^;]*);.*extra == ['\"]replicas['\"]", text)
        if match:
            names.append(match[1] + match[2].strip())
    return tuple(sorted(_pinned(name) for name in names))


def _pinned(requirement: str) -> str:
    name = re.split(r"[<>=!~ ]", requirement)[0]
    try:
        return f"{name}=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return requirement


def require_image(client: docker.DockerClient) -> str:
    """The name of the image, which the engine has; DeploymentError says how to get it, or what is wrong with it."""
    import docker.errors

    name = image_name()
    try:
        with translated(f"image {name} can't be looked for"):
            labels = client.images.get(name).labels
    except DeploymentError as error:
        if not isinstance(error.__cause__, docker.errors.ImageNotFound):
            raise
        msg = f"the engine has no image {name}; make it: anomod image build"
        raise DeploymentError(msg) from None
    if CONTENT not in labels:
        msg = f"image {name} was not made by `anomod image build`: there are no services or agents of ours in it"
        raise DeploymentError(msg)
    if labels[CONTENT] != content_hash():
        msg = f"image {name} was made from other code ({labels[CONTENT]}, not {content_hash()}); make it again"
        raise DeploymentError(msg)
    return name


def obstacle(client: docker.DockerClient) -> str:
    """Why the image can't be made here without a registry, in a few words; "" when nothing speaks against it."""
    if os.environ.get(IMAGE):
        return f"{IMAGE} names it"
    if importlib.util.find_spec("pip") is None:
        return "there is no pip to fetch its libraries"
    with translated("images can't be looked for"):
        if _has(client, _debian_name()):
            return ""
    if shutil.which("mmdebstrap") is None:
        return "there is no mmdebstrap"
    if os.geteuid() != 0 and not _user_namespaces():
        return "mmdebstrap needs root or user namespaces"
    return ""


def _user_namespaces() -> bool:
    try:
        return subprocess.run(["unshare", "-r", "true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


def build(client: docker.DockerClient, say: Callable[[str], None], *, base: str | None = None) -> str:
    """Make the image unless the engine has it, and return its name; DeploymentError says what failed.

    `base` is an image with a Python 3.11 or newer; None makes one of Debian packages.
    """
    name = f"{REPOSITORY}:{content_hash()}"
    if _has(client, name):
        say(f"{name} is there already")
        return name
    libraries = _libraries(client, base or _debian(client, say), say)
    say(f"building {name}")
    with tempfile.TemporaryDirectory(prefix="image-") as directory:
        context = Path(directory)
        _copy_sources(context / "replicas")
        _build(client, context, _FOLDER / "Dockerfile", name, libraries, {CONTENT: content_hash()})
    return name


def save(path: Path | None, say: Callable[[str], None]) -> Path:
    """Write the image to a file as `docker save` does, unless it is there; made by the engine if need be; the file.

    The engine is asked for nothing where the file in the cache directory is that of this very code.
    """
    name = f"{REPOSITORY}:{content_hash()}"
    target = path or cache_directory() / "images" / f"{name.replace(':', '-')}.tar"
    if path is None and target.exists():
        return target
    client = docker_engine.connect(docker_engine.engine_url())
    build(client, say)
    target.parent.mkdir(parents=True, exist_ok=True)
    with translated(f"{name} was not saved"), tempfile.TemporaryDirectory(dir=target.parent) as directory:
        written = Path(directory) / target.name
        with written.open("wb") as file:
            for piece in client.images.get(name).save(named=name):
                file.write(piece)
        written.replace(target)
    return target


def _libraries(client: docker.DockerClient, base: str, say: Callable[[str], None]) -> str:
    """An image of the base and the libraries, made once for a list of libraries and a base."""
    if not _has(client, base):
        say(f"pulling {base}")
        with translated(f"base image {base} can't be had"):
            client.images.pull(base)
    recipe = (_FOLDER / "libraries.Dockerfile").read_text()
    key = hashlib.sha256(repr((requirements(), client.images.get(base).id, recipe)).encode()).hexdigest()[:12]
    name = f"{REPOSITORY}-libraries:{key}"
    if not _has(client, name):
        say(f"making {name}: {', '.join(requirements())}")
        with tempfile.TemporaryDirectory(prefix="libraries-") as directory:
            context = Path(directory)
            _fetch_libraries(context / "libraries", *_interpreter(client, base))
            _build(client, context, _FOLDER / "libraries.Dockerfile", name, base, {})
    return name


def _has(client: docker.DockerClient, name: str) -> bool:
    import docker.errors

    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    return True


def _debian(client: docker.DockerClient, say: Callable[[str], None]) -> str:
    """An image of a small Debian with a Python, made once for a list of packages."""
    name = _debian_name()
    if _has(client, name):
        return name
    if shutil.which("mmdebstrap") is None:
        msg = "no mmdebstrap here to make a base of Debian packages: apt-get install mmdebstrap, or name a base image"
        raise DeploymentError(msg)
    say(f"making {name} of Debian packages")
    with tempfile.TemporaryDirectory(prefix="base-") as directory:
        archive = Path(directory) / "root.tar"
        command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}"]
        command += [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _LEFT_OUT]
        _run([*command, SUITE, str(archive)], "mmdebstrap")
        answer = client.api.import_image_from_file(
            str(archive), repository=REPOSITORY + "-base", tag=name.partition(":")[2]
        )
        if "error" in answer:
            msg = f"the engine did not import {name}: {answer.strip()}"
            raise DeploymentError(msg)
    return name


def _debian_name() -> str:
    key = hashlib.sha256(repr((SUITE, PACKAGES, _LEFT_OUT)).encode()).hexdigest()[:12]
    return f"{REPOSITORY}-base:{key}"


def _interpreter(client: docker.DockerClient, base: str) -> tuple[str, str]:
    """Version of the base's Python ("3.11") and its architecture as wheels name it ("x86_64")."""
    import docker.errors

    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        said = client.containers.run(base, ["python3", "-c", code], remove=True, network_mode="none", entrypoint="")
    except docker.errors.DockerException as error:
        msg = f"image {base} can't be the base: it runs no python3 ({error})"
        raise DeploymentError(msg) from error
    architecture = str(client.images.get(base).attrs["Architecture"])
    return said.decode().strip(), _ARCHITECTURES.get(architecture, architecture)


def _fetch_libraries(target: Path, version: str, architecture: str) -> None:
    """The wheels for that interpreter, unpacked, whatever Python runs us."""
    plain = version.replace(".", "")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target), "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", version, "--implementation", "cp"]
    command += [text for abi in (f"cp{plain}", "abi3", "none") for text in ("--abi", abi)]
    platforms = ["manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_26", "manylinux_2_28"]
    command += [text for platform in platforms for text in ("--platform", f"{platform}_{architecture}")]
    _run([*command, *requirements()], "pip")
    for pattern in _TRIMMED:
        for path in list(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _copy_sources(target: Path) -> None:
    for path in _sources():
        copy = target / "pytest_anomod" / path.relative_to(_PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (target / "pytest_anomod" / "__init__.py").write_text(_INIT)


def _sources() -> Iterator[Path]:
    files = (path for path in (_PACKAGE / "replicas").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return iter(sorted(files))


def _build(
    client: docker.DockerClient, context: Path, recipe: Path, name: str, base: str, labels: dict[str, str]
) -> None:
    import docker.errors

    shutil.copyfile(recipe, context / "Dockerfile")
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(context, arcname=".", filter=_anonymous)
        archive.seek(0)
        try:
            client.images.build(
                fileobj=archive,
                custom_context=True,
                tag=name,
                buildargs={"BASE": base},
                labels=labels,
                rm=True,
                forcerm=True,
                network_mode="none",
            )
        except docker.errors.BuildError as error:
            lines = "".join(str(line.get("stream", "")) for line in error.build_log).splitlines()[-15:]
            msg = f"image {name} could not be built: {error.msg}\n" + "\n".join(lines)
            raise DeploymentError(msg) from error


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _run(command: list[str], who: str) -> None:
    """Run a program to its end; DeploymentError with its last lines. Neither it nor its children outlive this call."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(PROGRAM_LIMIT_S)
        except subprocess.TimeoutExpired:
            msg = f"{who} did not end within {PROGRAM_LIMIT_S:g} s"
            raise DeploymentError(msg) from None
        finally:
            _end(process)
        output.seek(0)
        lines = output.read().strip().splitlines()[-8:]
    if code != 0:
        msg = f"{who} failed ({code}): " + "\n".join(lines)
        raise DeploymentError(msg)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children if it still runs: gently first, as mmdebstrap has a directory to clear away."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody of the group is left, or only the dead
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

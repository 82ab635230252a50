"""Decides which services get agents: those that the user names, or whose command, image or Dockerfile shows how."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_anomod.define.engines import base_name
from pytest_anomod.define.java_packages import java_packages
from pytest_anomod.define.services import check_names
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Agents, Command
from pytest_anomod.runtimes.compose.transform import plain

Wanted = bool | Mapping[str, str | Agents]
LANGUAGES = ("python", "java", "node", "go")
_PROGRAMS = {
    **dict.fromkeys(("gunicorn", "uvicorn", "hypercorn", "daphne", "flask", "celery", "uwsgi", "fastapi"), "python"),
    **dict.fromkeys(("node", "nodejs", "npm", "npx", "yarn", "pnpm", "tsx", "ts-node", "next"), "node"),
    **dict.fromkeys(("java", "mvn", "mvnw", "gradle", "gradlew"), "java"),
    "go": "go",
}
_IMAGES = {
    "python": ("python", "pypy", "uv"),
    "node": ("node",),
    "java": ("openjdk", "temurin", "amazoncorretto", "jre", "jdk", "maven", "gradle", "java", "liberica", "zulu"),
    "go": ("golang",),
}  # fmt: skip
_ENDINGS = {".py": "python", ".js": "node", ".mjs": "node", ".cjs": "node", ".ts": "node", ".jar": "java"}
_GO_MARK = b"\xff Go buildinf:"
_GO_BYTES = 64 << 20


class Guess(NamedTuple):
    """The presumed language of a service, and where it was seen."""

    agents: Agents
    why: str


def agents_of_commands(
    wanted: Wanted, commands: Sequence[Command], directory: Path, where: str
) -> tuple[tuple[str, Agents], ...]:
    """Agents of the services that commands start; ScenarioError for a name or a language that there is none of."""
    if wanted is not True:
        return _said(wanted or {}, {command.service: None for command in commands}, where)
    guesses = ((command.service, guess_command(command, directory)) for command in commands)
    return tuple((name, guess.agents) for name, guess in guesses if guess is not None)


def agents_of_document(
    wanted: Wanted, document: Mapping[str, Any], own: Sequence[str], where: str
) -> tuple[tuple[str, Agents], ...]:
    """The same of the services of a resolved compose document; `own` are those that are no stores and no tools."""
    services = document["services"]
    if wanted is not True:
        return _said(wanted or {}, services, where)
    guesses = ((name, guess_service(services[name])) for name in own)
    return tuple((name, guess.agents) for name, guess in guesses if guess is not None)


def _said(wanted: Mapping[str, str | Agents], known: Mapping[str, Any], where: str) -> tuple[tuple[str, Agents], ...]:
    check_names(known, {"agents": wanted}, where)
    found = []
    for name, said in wanted.items():
        asked = Agents(said) if isinstance(said, str) else said
        if asked.language not in LANGUAGES:
            msg = f"{where}: agents of {name!r}: language {asked.language!r} is none of {', '.join(LANGUAGES)}"
            raise ScenarioError(msg)
        found.append((name, asked))
    return tuple(found)


def guess_command(command: Command, directory: Path) -> Guess | None:
    """By the program that a command runs; its sources lie beside its script, or where it is started."""
    words = _split(command.argv)
    found = _of_words(words)
    if found is not None:
        return Guess(_agents(found[0], _beside(words), directory), f"{found[1]} in its command")
    program = next((directory / word for word in words if "/" in word and (directory / word).is_file()), None)
    if program is not None and _is_go(program):
        return Guess(Agents("go"), f"{program.name} was built by Go")
    return None


def guess_service(service: Mapping[str, Any]) -> Guess | None:
    """By the command of a compose service, its image, or what its Dockerfile says last of both."""
    words = [plain(word) for key in ("entrypoint", "command") for word in _split(service.get(key) or ())]
    base, docker_words, workdir = _dockerfile(service.get("build") or {})
    source = str(service.get("working_dir") or workdir)
    context = (service.get("build") or {}).get("context")
    for where, said in (("command", words), ("Dockerfile", docker_words)):
        found = _of_words(said)
        if found is not None:
            return Guess(_agents(found[0], source, context), f"{found[1]} in its {where}")
    for image in (str(service.get("image") or ""), base):
        name = base_name(image)
        for language, names in _IMAGES.items():
            if any(part in names for part in re.split(r"[-_.]", name)):
                return Guess(_agents(language, source, context), f"image {image}")
    return None


def _agents(language: str, source: str, sources: str | Path | None) -> Agents:
    """`sources` is where the sources lie on this machine, if they do: they tell the packages of a Java service."""
    packages = java_packages(Path(sources)) if language == "java" and sources else ()
    return Agents(language, source=source, packages=packages)


def _of_words(words: Sequence[str]) -> tuple[str, str] | None:
    """Language, and the word that tells it: the name of a program, else of a script."""
    for word in words:
        name = Path(word).name
        if re.fullmatch(r"(python|pypy)[\d.]*", name):
            return "python", name
        if name in _PROGRAMS:
            return _PROGRAMS[name], name
    return next(((_ENDINGS[Path(word).suffix], word) for word in words if Path(word).suffix in _ENDINGS), None)


def _beside(words: Sequence[str]) -> str:
    """The directory of the first script; "" for one in the directory where it is started."""
    script = next((word for word in words if _ENDINGS.get(Path(word).suffix, "java") != "java"), "")
    parent = str(Path(script).parent)
    return "" if parent == "." else parent


def _split(argv: str | Sequence[str]) -> list[str]:
    """All words, those of lines for a shell, too; variables of the line are left as they are."""
    words = [argv] if isinstance(argv, str) else list(argv)
    return [part for word in words for part in _shell_words(word)]


def _shell_words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:  # an odd quote: it is no line of a shell
        words = [text]
    # ${PYTHON:-python3} is what it comes to where nobody says otherwise
    return [re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", word) for word in words]


def _dockerfile(build: Mapping[str, Any]) -> tuple[str, list[str], str]:
    """Base image, the words of ENTRYPOINT and CMD, and WORKDIR of the stage that is built; "" and [] if not known."""
    context = Path(str(build.get("context") or ""))
    text = build.get("dockerfile_inline")
    if text is None:
        try:
            text = (context / str(build.get("dockerfile") or "Dockerfile")).read_text()
        except (OSError, UnicodeDecodeError):
            return "", [], ""
    base, named, workdir, done = "", "", "", False
    words: dict[str, list[str]] = {}
    stage: dict[str, tuple[str, dict[str, list[str]], str]] = {}
    for name, rest in _instructions(str(text)):
        if name == "FROM":
            if done:
                break
            parts = [part for part in rest.split() if not part.startswith("--")]
            named = parts[2] if len(parts) > 2 else ""
            base, words, workdir = stage.get(parts[0], (parts[0], {}, ""))
            done = bool(build.get("target")) and named == build["target"]
        elif name in ("CMD", "ENTRYPOINT"):
            words = {**words, name: re.findall(r'"([^"]*)"', rest) if rest.startswith("[") else [rest]}
        elif name == "WORKDIR":
            workdir = rest if rest.startswith("/") else f"{workdir}/{rest}"
        if base and name != "FROM":
            stage[named] = (base, words, workdir)
    said = [*words.get("ENTRYPOINT", ()), *words.get("CMD", ())]
    return base, _split(said), workdir


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        found = re.match(r"\s*(FROM|CMD|ENTRYPOINT|WORKDIR)\s+(.+)", line, re.IGNORECASE)
        if found:
            yield found[1].upper(), found[2].strip()


def _is_go(program: Path) -> bool:
    try:
        with program.open("rb") as stream:
            return stream.read(4) == b"\x7fELF" and _GO_MARK in stream.read(_GO_BYTES)
    except OSError:
        return False

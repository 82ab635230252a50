"""Resolves compose files by compose itself: merged, interpolated, with absolute paths, as one JSON document."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import ComposeFiles
from pytest_anomod.runtimes.compose import cli
from pytest_anomod.runtimes.compose.renaming import renamed_services

_resolved: dict[tuple[ComposeFiles, str], Resolved] = {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The document of `compose config`, and what compose warned of. Passwords are in it in clear: never write it down.

    Texts in it have dollar signs doubled, as in a compose file; `plain` of transform.py undoes that.
    """

    document: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        """The name that the files give, or that of their directory."""
        return str(self.document["name"])


def resolve(files: ComposeFiles) -> Resolved:
    """The files resolved; once in a process for files of the same content. DeploymentError in one line."""
    key = dataclasses.replace(files, agents=()), _content(files)
    if key not in _resolved:
        said, warnings = cli.ask([*words_of(files), "config", "--format", "json", *files.services])
        try:
            document = json.loads(said)
        except ValueError as error:
            msg = f"`compose config` of {', '.join(files.files)} printed no JSON: {error}"
            raise DeploymentError(msg) from error
        if files.names:
            document = renamed_services(document, files.names)
        _resolved[key] = Resolved(document=document, warnings=tuple(dict.fromkeys(warnings.splitlines())))
    return _resolved[key]


def words_of(files: ComposeFiles) -> list[str]:
    """Options that name the files, their profiles and their environment."""
    words = [text for file in files.files for text in ("--file", file)]
    words += [text for profile in files.profiles for text in ("--profile", profile)]
    words += environment_words(files)
    return words


def environment_words(files: ComposeFiles) -> list[str]:
    """Options that name the directory of the project and the files that variables are taken from."""
    words = ["--project-directory", str(Path(files.files[0]).parent)]
    return words + [text for file in files.env_files for text in ("--env-file", file)]


def _content(files: ComposeFiles) -> str:
    digest = hashlib.sha256()
    for file in (*files.files, *files.env_files):
        try:
            digest.update(Path(file).read_bytes() + b"\0")
        except OSError as error:
            msg = f"compose file {file} can't be read: {error.strerror}"
            raise DeploymentError(msg) from error
    return digest.hexdigest()

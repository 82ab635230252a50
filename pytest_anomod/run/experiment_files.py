"""Collects Chaos Toolkit experiments that the user named, one test each."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.run.command_line import EXPERIMENTS

if TYPE_CHECKING:
    from pytest_anomod.chaos.imported.reading import Document

INI = "anomod_experiments"
_named_key = pytest.StashKey[frozenset[str]]()
_NO_MARKS = frozenset(
    {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "tryfirst", "trylast"}
)
"""Marks that do something: a tag of such a name becomes none."""


def add_patterns(config: pytest.Config) -> None:
    """Have a plain `pytest` find the files of the project's patterns, also those beside `testpaths`."""
    source = pytest.Config.ArgsSource
    if config.args_source is source.ARGS or hasattr(config, "workerinput"):
        return
    base = config.invocation_params.dir
    places = [os.path.abspath(os.path.join(base, str(arg).split("::")[0])) for arg in config.args]
    for path in _matching(config):
        if not any(path == place or path.startswith(place.rstrip(os.sep) + os.sep) for place in places):
            config.args.append(path)


def _matching(config: pytest.Config) -> list[str]:
    root = config.rootpath
    found = (match for pattern in config.getini(INI) for match in glob.glob(str(root / pattern), recursive=True))
    return sorted({os.path.abspath(match) for match in found if match.endswith(EXPERIMENTS)})


def collect(path: Path, parent: pytest.Collector) -> pytest.File | None:
    """The collector of a file that the user named, or that a pattern of the project matches; None for all others."""
    config = parent.config
    named = str(path) in _named(config)
    if not named and not _matches(config, path):
        return None
    from pytest_anomod.chaos.imported.reading import NotAnExperimentError, read

    found: Document | ScenarioError
    try:
        found = read(path)
    except NotAnExperimentError as error:
        if not named:
            return None  # a pattern may well match files of variables and manifests beside the experiments
        found = error
    except ScenarioError as error:
        found = error
    file: ExperimentFile = ExperimentFile.from_parent(parent, path=path)
    file.found = found
    return file


def _named(config: pytest.Config) -> frozenset[str]:
    """Files that stand as such on the command line."""
    if _named_key not in config.stash:
        base = config.invocation_params.dir
        words = [str(word).split("::")[0] for word in config.args]
        config.stash[_named_key] = frozenset(
            os.path.abspath(os.path.join(base, word)) for word in words if word.endswith(EXPERIMENTS)
        )
    return config.stash[_named_key]


def _matches(config: pytest.Config, path: Path) -> bool:
    patterns = config.getini(INI)
    if not patterns:
        return False
    try:
        below = path.relative_to(config.rootpath).as_posix()
    except ValueError:
        return False
    return any(fnmatch.fnmatch(below, pattern.removeprefix("./")) for pattern in patterns)


class ExperimentFile(pytest.File):
    """A file with one experiment; it is read, and nothing of it is run."""

    found: Document | ScenarioError
    """The document, or why there is none."""

    def collect(self) -> Iterable[pytest.Item]:
        """The experiment as a test; CollectError, one line a mistake, for one that can't be played."""
        from pytest_anomod.chaos.imported import checking

        place = os.path.relpath(self.path, self.config.invocation_params.dir)
        if isinstance(self.found, ScenarioError):
            raise self.CollectError(os.path.join(os.path.dirname(place), str(self.found)))
        refused = [f"{place}:{remark.line}: {remark.why}" for remark in checking.refusals(self.found)]
        if refused:
            raise self.CollectError("\n".join(dict.fromkeys(refused)))
        yield self._item(self.found, place)

    def _item(self, document: Document, place: str) -> pytest.Item:
        from pytest_anomod.chaos.imported import checking, reading
        from pytest_anomod.run.experiments import ExperimentItem
        from pytest_anomod.run.fitness import check_runnable

        name = " ".join(str(document.data["title"]).replace("::", ":").split())
        try:
            item = ExperimentItem.from_parent(self, name=name, document=document)
            if item.declaration is not None:
                check_runnable(self.config, item.declaration, name)
        except ScenarioError as error:
            raise self.CollectError(f"{place}:{document.line_of(('extensions',))}: {error}") from None
        for tag in reading.tags(document.data):
            if tag not in _NO_MARKS:
                self.config.addinivalue_line("markers", f"{tag}: a tag of Chaos Toolkit experiments")
                item.add_marker(tag)
        allowed = self.config.option.anomod_allow.split(",")
        if why := checking.not_allowed(document, [word.strip() for word in allowed]):
            reason = f"{place}: {why}, which --anomod-allow={self.config.option.anomod_allow} leaves out"
            item.add_marker(pytest.mark.skip(reason=reason))
        return item

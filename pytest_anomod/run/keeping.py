"""The baseline of a run: reads it before, gives it to workers, compares it with the tests, writes it if asked to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.run.baseline import UPDATE, Entry, lost_keys, read_baseline, updated, write_baseline
from pytest_anomod.run.command_line import declaration_of
from pytest_anomod.run.outcomes import baseline_key, scenario_key

_INPUT, _OUTPUT = "anomod_baseline", "anomod_baseline_gone"


class Keeper:
    """Keeps the baseline; registered only with --anomod-baseline, in workers too."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.files: set[str] = set()
        self.gone: set[str] = set()
        self.seen: list[tuple[str, str]] = []
        self.missing: set[str] = set()
        self.said: list[str] = []

    @property
    def path(self) -> Path:
        """The file; a relative one is taken from where pytest was called."""
        return Path(self.config.invocation_params.dir, self.config.option.anomod_baseline)

    def pytest_sessionstart(self) -> None:
        """Read the file, or take from the controller what it has read."""
        option = self.config.option
        given = getattr(self.config, "workerinput", {}).get(_INPUT)
        if given is not None:
            self.config.stash[baseline_key] = {key: Entry(*entry) for key, entry in json.loads(given).items()}
            return
        if option.anomod_baseline is None:
            msg = f"{UPDATE} says to write a baseline: name its file with --anomod-baseline FILE"
            raise pytest.UsageError(msg)
        try:
            self.config.stash[baseline_key] = read_baseline(self.path, update=option.anomod_baseline_update)
        except ScenarioError as error:
            msg = f"--anomod-baseline={option.anomod_baseline}: {error}"
            raise pytest.UsageError(msg) from None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand it to a worker, which may be on another machine."""
        entries = self.config.stash[baseline_key]
        node.workerinput[_INPUT] = json.dumps({key: (entry.verdict, entry.why) for key, entry in entries.items()})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep which files were collected."""
        if report.passed:
            self.files.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Before any is deselected: which tests of the baseline are no more?"""
        known = {scenario_key(item) for item in items if declaration_of(item) is not None}
        entries, config = self.config.stash[baseline_key], self.config
        lost = lost_keys(entries, known, self.files, config.args, config.rootpath)
        self.gone.update(lost)
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[_OUTPUT] = lost

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the same from a worker."""
        self.gone.update(getattr(node, "workeroutput", {}).get(_OUTPUT, ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the verdict of a case."""
        carried = getattr(report, "anomod", None)
        if carried and carried["verdict"] and report.outcome != "rerun":
            self.seen.append((carried["key"], carried["verdict"]))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file anew when asked for; else see which cases have no entry."""
        if hasattr(self.config, "workerinput"):
            return
        entries = self.config.stash.get(baseline_key, {})
        if not self.config.option.anomod_baseline_update:
            self.missing = {key for key, _ in self.seen} - entries.keys()
        elif self.seen or self.gone:
            entries, left = updated(entries, self.seen, self.gone)
            try:
                write_baseline(self.path, entries)
                self.said = [f"wrote {len(entries)} verdicts", *(f"left out: {why}" for why in left)]
            except OSError as error:
                self.said = [f"not written: {error}"]
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print remarks on the file, if there are any."""
        said, option = list(self.said), self.config.option
        if self.gone:
            what = "dropped" if option.anomod_baseline_update else f"remove them, or run {UPDATE}"
            said.append(f"entries of tests that do not exist any more ({what}): {', '.join(sorted(self.gone))}")
        if self.missing:
            said.append(f"tests without an entry ({UPDATE} adds them): {', '.join(sorted(self.missing))}")
        for sentence in said:
            terminalreporter.write_line(f"baseline {option.anomod_baseline}: {sentence}")

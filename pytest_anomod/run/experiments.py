"""The test of a Chaos Toolkit experiment: plain, or as a case where it names a system."""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anomod.chaos.imported import checking, outcome
from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.run.experiment_cases import declared, run_case, scenario_of
from pytest_anomod.run.options import out_directory

if TYPE_CHECKING:
    from pytest_anomod.chaos.imported.reading import Document
    from pytest_anomod.declare import Declaration
    from pytest_anomod.safety.experiments import Played, Undoing

STOPPING_S = 30.0
"""How long an experiment that Ctrl-C stops may take for its rollbacks before they are played for it."""


class ExperimentItem(pytest.Item):
    """One experiment; its document is played as it is written."""

    def __init__(self, *, document: Document, **words: Any) -> None:
        super().__init__(**words)
        self.document = document
        self.played: Mapping[str, Any] | None = None
        """The result of its player."""
        self.declaration = declared(self.config, document)
        if self.declaration is not None:
            self.function = _function(self.declaration, document)

    def runtest(self) -> None:
        """Play it, and fail with one line where `chaos run` fails, or where it leaves something behind."""
        lacking = checking.lacks(self.document, variables=not self.config.option.anomod_var_file)
        missing = [f"line {remark.line}: {remark.why}" for remark in lacking]
        if missing:
            pytest.fail(f"{self.document.path.name}: {'; '.join(missing)}", pytrace=False)
        if self.declaration is None or not self.document.data["method"]:
            self.played = play_plain(self.config, self.document)
            self.tell()
            if why := outcome.why_failed(self.document, self.played):
                pytest.fail(why, pytrace=False)
        if self.declaration is not None:
            run_case(self, self.declaration)

    def tell(self) -> None:
        """Put the steps, what was written, and what is only partly done into the report."""
        assert self.played is not None
        journal = self.played.get("journal") or {}
        self.user_properties += [
            ("experiment_status", str(journal.get("status") or "not played")),
            ("experiment_deviated", str(bool(journal.get("deviated"))).lower()),
        ]
        sections = {
            "steps": "\n".join(outcome.steps(self.played)),
            "output": self.played.get("output") or "",
            "remarks": "\n".join(f"line {one.line}: {one.why}" for one in checking.shortcomings(self.document)),
        }
        for name, text in sections.items():
            if text:
                self.add_report_section("call", f"experiment {name}", text)
        if self.config.getoption("allure_report_dir", None):
            from pytest_anomod.report.allure import attach_experiment

            attach_experiment(self.config, self.played)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The file, and the title of the experiment."""
        return self.path, self.document.line_of(("title",)) - 1, self.name


def _function(declaration: Declaration, document: Document) -> Callable[[], None]:
    """What stands for the test function, at which others read what a test declares: which system it needs, say."""

    def experiment() -> None:
        return None

    experiment.__name__, experiment.__doc__ = scenario_of(document), str(document.data["description"])
    setattr(experiment, ATTRIBUTE, declaration)
    return experiment


def play_plain(config: pytest.Config, document: Document) -> Mapping[str, Any]:
    """Play an experiment to its end, whatever interrupts it; the result of its player."""
    from pytest_anomod.safety.experiments import Played

    private = Private.of(config)
    played = Played(private.directory, specification(config, document, framed=False), private.undoing(document))
    try:
        if played.wait("method") and played.result is None:
            played.go()
        return played.ended()
    except KeyboardInterrupt:
        _stop(played)
        raise
    except BaseException:  # a time limit of another plugin, say: nothing may stay
        played.abandon()
        raise


def _stop(played: Played) -> None:
    """Ctrl-C: let the experiment end by itself, as under `chaos run`, but not for ever."""
    try:
        played.interrupt()
        if played.wait(timeout_s=STOPPING_S):
            played.ended()
            return
    except KeyboardInterrupt:
        pass  # a second one: it is not waited for any longer
    played.abandon()


def specification(config: pytest.Config, document: Document, *, framed: bool) -> dict[str, Any]:
    """What the player needs: the document, with --anomod-base applied, and where it stands."""
    data = copy.deepcopy(document.data)
    if isinstance(data.get("extensions"), dict):  # chaoslib takes a list of objects with a name alone
        data["extensions"] = [{"name": name, **_mapping(entry)} for name, entry in data["extensions"].items()]
    for pair in config.option.anomod_base or ():
        old, _, new = pair.partition("=")
        data = _rebased(data, old, new)
    here = config.invocation_params.dir
    return {
        "document": json.loads(json.dumps(data, default=str)),
        "folder": str(document.path.absolute().parent),
        "var_files": [os.path.abspath(os.path.join(here, file)) for file in config.option.anomod_var_file or ()],
        "framed": framed,
    }


def _rebased(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _rebased(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_rebased(item, old, new) for item in value]
    return value.replace(old, new) if isinstance(value, str) else value


def _mapping(entry: Any) -> dict[str, Any]:
    return entry if isinstance(entry, dict) else {"value": entry}


class Private:
    """The session of the plain experiments of this process; its guardian comes with the first that has rollbacks."""

    _key = pytest.StashKey["Private"]()

    def __init__(self, config: pytest.Config) -> None:
        from pytest_anomod.safety.sessions import new_session

        worker = getattr(config, "workerinput", {})
        run_id = worker.get("testrunuid") or uuid.uuid4().hex
        name = worker.get("workerid", f"main-{os.getpid()}")
        self.session = new_session(out_directory(config), run_id=run_id, worker=f"experiments-{name}")
        self.directory = self.session.directory

    @classmethod
    def of(cls, config: pytest.Config) -> Private:
        """The one of this process, made when first asked for."""
        if cls._key not in config.stash:
            private = config.stash[cls._key] = cls(config)
            config.add_cleanup(private.close)
        return config.stash[cls._key]

    def undoing(self, document: Document) -> Undoing | None:
        """Where the undo entries of an experiment go; None for one without rollbacks."""
        from pytest_anomod.safety.experiments import Undoing
        from pytest_anomod.safety.guardian import JOURNAL, ensure_guardian
        from pytest_anomod.safety.undo import UndoJournal

        if not document.data.get("rollbacks"):
            return None
        ensure_guardian(self.directory)
        journal = UndoJournal(self.directory / JOURNAL)
        return Undoing(journal.record, journal.done)

    def close(self) -> None:
        """End the session and remove its files."""
        from pytest_anomod.safety.sessions import end_session

        end_session(self.session)

"""The cache of agents: whole or not there, another one for other pins, found out when it was changed."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import Artefact, FetchError, language, offered
from pytest_anomod.cli import main
from pytest_anomod.model.errors import ScenarioError

PIN = Artefact(name="agent", version="1", sha256="ab", origin="pip", place="agent==1", licence="MIT")


class Fake:
    """A language whose download writes two files, or fails after the first."""

    name = "fake"
    gives = frozenset({"traces"})
    also = ()

    def __init__(self, *pins: Artefact, fails: bool = False) -> None:
        self.artefacts = pins or (PIN,)
        self.fails = fails

    def fetch(self, into: Path) -> None:
        (into / "agent.jar").write_text("agent")
        if self.fails:
            raise FetchError("the registry does not answer")
        (into / "bin").mkdir()
        (into / "bin" / "link").symlink_to("../agent.jar")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_fetched_is_there_and_as_it_was(place):
    fake = Fake()
    assert cache.ready(fake) is None
    found = cache.fetch(fake)
    assert found.parent == place
    assert (found / "agent.jar").read_text() == "agent"
    assert cache.ready(fake) == found
    assert cache.fetch(Fake(fails=True)) == found, "it is not fetched twice"
    assert cache.problems(fake) == []


def test_a_download_that_fails_leaves_nothing(place):
    with pytest.raises(FetchError, match="does not answer"):
        cache.fetch(Fake(fails=True))
    assert [path.name for path in place.iterdir() if path.is_dir()] == []
    assert cache.ready(Fake()) is None
    assert cache.fetch(Fake()).is_dir()


def test_other_pins_are_another_directory():
    newer = Fake(dataclasses.replace(PIN, version="2"))
    assert cache.fetch(Fake()) != cache.fetch(newer)


def test_what_was_changed_added_or_removed_is_told():
    found = cache.fetch(Fake())
    (found / "agent.jar").write_text("another")
    (found / "more").write_text("")
    (found / "bin" / "link").unlink()
    (found / "__pycache__").mkdir()
    (found / "__pycache__" / "x.pyc").write_text("made where it runs")
    told = cache.problems(Fake())
    assert [line.rpartition(found.name + "/")[2] for line in told] == [
        "agent.jar was changed",
        "bin/link is missing",
        "more was added",
    ]


def test_a_machine_without_a_network_copies_what_another_has(tmp_path, monkeypatch):
    there = cache.fetch(Fake()).parent
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "here"))
    found = cache.fetch(Fake(fails=True), offline=there)
    assert found.parent == tmp_path / "here"
    assert cache.problems(Fake()) == []


def test_what_was_changed_there_is_not_copied(tmp_path, monkeypatch):
    found = cache.fetch(Fake())
    (found / "agent.jar").write_text("another")
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "here"))
    with pytest.raises(FetchError, match=r"agent\.jar was changed"):
        cache.fetch(Fake(), offline=found.parent)
    with pytest.raises(FetchError, match="anomod agents fetch fake"):
        cache.fetch(Fake(dataclasses.replace(PIN, version="2")), offline=found.parent)
    assert cache.ready(Fake()) is None


def test_every_language_is_pinned_by_hash_and_licensed():
    for name in offered():
        for artefact in language(name).artefacts:
            assert re.fullmatch(r"[0-9a-f]{64}|sha512-[A-Za-z0-9+/]{86}==", artefact.sha256), artefact
            assert artefact.licence, artefact


def test_a_language_that_there_is_none_of_is_refused():
    with pytest.raises(ScenarioError, match=r"'cobol'.*python"):
        language("cobol")


def test_the_command_lists_and_verifies(capsys):
    assert main(["agents", "list", "python", "--files"]) == 0
    printed = capsys.readouterr().out
    assert "python   coverage, faults, traces   not fetched" in printed
    assert "opentelemetry-sdk 1." in printed
    assert main(["agents", "verify", "python"]) == 1
    assert "not fetched" in capsys.readouterr().out
    assert main(["agents", "fetch", "python", "--offline", "/nowhere"]) == 2
    assert "anomod agents fetch python" in capsys.readouterr().err

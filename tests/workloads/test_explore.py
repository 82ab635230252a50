"""What `anomod explore` says before it sends anything, and which agents' lines it can be guided by."""

from __future__ import annotations

import argparse
import json

import pytest
from shop_entry import COLLECTION, DOCUMENT

from pytest_anomod import explore
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.source import LineCounter
from pytest_anomod.workloads.guided_lines import Meter
from pytest_anomod.workloads.openapi_document import operations


def test_a_system_without_agents_is_refused():
    class Blind:
        system, runtime = "blind", "running"

        def sources(self):
            return ()

    with pytest.raises(DeploymentError, match=r"'blind' counts no lines under runtime 'running'"):
        Meter(Blind())


class Raw:
    """A deployment whose one service has an agent like Java's: what ran comes raw, lines are made of it when asked."""

    system, runtime = "raw", "commands"

    def __init__(self, *, answers: bool = True) -> None:
        self.ran = [1]
        self._answers = answers

    def sources(self):
        return (LineCounter(service="shop"),)

    def capability(self, kind, service):
        return self

    def ask(self, path, payload):
        """Raw counts are texts; lines are made of a list of these."""
        if not self._answers:
            raise DeploymentError("no process of it answers")
        if path == "/coverage/lines":
            return [
                {"Shop.java": {"covered": [*map(int, raw)], "executable": [1, 2, 3], "functions": {"Shop.buy": [2, 3]}}}
                for raw in payload["snapshots"]
            ]
        assert path == "/coverage/snapshot"
        ran, self.ran = self.ran, []
        return {"since_unix_nano": 1, "at_unix_nano": 2, "raw": [*map(str, ran)]}


def test_lines_are_made_of_what_an_agent_counts_raw():
    deployment = Raw()
    meter = Meter(deployment)
    assert meter.ground.total == 2
    deployment.ran = [1, 3]
    assert meter.after("00") == {("shop", "Shop.java", 3)}
    assert [one.partition(" are made")[0] for one in meter.remarks()] == ["lines of shop"]
    meter.close()


def test_agents_that_give_no_lines_are_no_guide():
    with pytest.raises(DeploymentError, match=r"no agent of 'raw' gives lines: shop"):
        Meter(Raw(answers=False))


def test_what_cannot_be_read_is_said_before_the_system_is_up(tmp_path):
    parser = argparse.ArgumentParser()
    explore.add_to(parser.add_subparsers(), print, lambda *_: pytest.fail("it is brought up"))
    bad = tmp_path / "bad.py"
    bad.write_text("import no_such_module\ndef test_it(): pass\n", encoding="utf-8")
    for given, message in (
        (f"--from=suite:{tmp_path / 'gone.py'}", r"--from suite:.*gone\.py: there is no such file"),
        (f"--from=suite:{bad}", r"--from suite:.*bad\.py: it imports what is not there: no_such_module"),
        (f"--document={tmp_path / 'gone.yaml'}", r"openapi:.*gone\.yaml: can't be read"),
    ):
        arguments = parser.parse_args(["explore", "social_network", given])
        with pytest.raises(ScenarioError, match=message):
            arguments.run(arguments)


def test_what_a_collection_can_not_have_sent_is_told(tmp_path):
    """The rest is a seed."""
    file, said = tmp_path / "shop.json", []
    file.write_text(json.dumps(COLLECTION), encoding="utf-8")
    arguments = argparse.Namespace(deletions=False)
    steps = explore._seeds(f"postman:{file}", None, None, operations(DOCUMENT), arguments, said.append)
    assert [step.route for step in steps] == ["/items", "/orders"]
    (line,) = said
    assert line.startswith(f"postman:{file}: left out: ")
    assert "lastOrder" in line

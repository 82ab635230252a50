"""A service in Node with our agents and a preload of its own: lines in each window, faults in its code, a death."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import INSIDE, Place, Reach
from pytest_anomod.agents.node import LANGUAGE
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Agents

SERVICE = Path(__file__).with_name("node_service")
pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine"),
    pytest.mark.skipif(cache.ready(LANGUAGE) is None, reason="no agents on this machine: anomod agents fetch node"),
    pytest.mark.xdist_group("node_live"),
]


class Service:
    """A program in a process, and its agent."""

    def __init__(self, run, program="shop.js", library=None, options="--require own.js"):
        run.mkdir(exist_ok=True)
        self.run, self.library = run, library or cache.ready(LANGUAGE)
        asked = Agents("node", source=str(SERVICE))
        place = Place(
            service="shop",
            asked=asked,
            ours=str(INSIDE / "node"),
            library=str(self.library),
            run=str(run),
            own={"NODE_OPTIONS": options.replace(" ", f" {SERVICE}/")},
        )
        self.process = subprocess.Popen(
            ["node", str(SERVICE / program)],
            env={**os.environ, **LANGUAGE.environment(place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.began = self.hears()
        reach = Reach(
            service="shop",
            asked=asked,
            library=self.library,
            run=run,
            pid=lambda: self.process.pid,
            host=lambda: "127.0.0.1",
        )
        self.ask = LANGUAGE.agent(reach).ask

    def hears(self):
        return json.loads(self.process.stdout.readline())

    def call(self, name, argument=1):
        self.process.stdin.write(f"{name} {json.dumps(argument)}\n")
        self.process.stdin.flush()
        return self.hears()

    def window(self, **asked):
        return self.ask("/coverage/snapshot", {"reset": True, **asked})

    def covered(self):
        return {file: entry["covered"] for file, entry in self.window()["files"].items()}

    def patch(self, function, **wanted):
        return self.ask("/code/patch", {"function": function, **wanted})

    def kill(self):
        self.process.kill()
        return self.process.communicate()[1]


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*arguments, **named):
        started.append(Service(tmp_path / "run", *arguments, **named))
        return started[-1]

    yield begin
    for service in started:
        service.kill()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("node") / "run")
    yield service
    service.kill()


def lines_of(*texts):
    """The numbers of lines of shop.js that hold these texts."""
    lines = (SERVICE / "shop.js").read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) for text in texts if text in line}


DEFINED = {"size": "function size", "later": "function later", "Cart.add": "add(count) {", "twice": "const twice"}
FEW, MANY = lines_of('return "few"'), lines_of('return "many"')


def test_a_line_is_counted_in_the_window_in_which_it_ran(start):
    service = start()
    first = service.window(full=True)
    known = first["files"]["shop.js"]
    assert known["functions"]["Cart.add"] == [min(lines_of("add(count) {")), max(lines_of("this.count =")) + 1]
    assert {*FEW, *MANY} <= set(known["executable"])
    assert not lines_of("// A service") & set(known["executable"])

    service.call("size", 1)
    few = service.window()
    service.call("size", 9)
    many = service.window()
    nothing = service.window()

    assert set(few["files"]["shop.js"]["covered"]) & (FEW | MANY) == FEW
    assert set(many["files"]["shop.js"]["covered"]) & (FEW | MANY) == MANY
    assert nothing["files"] == {}
    for before, after in ((first, few), (few, many), (many, nothing)):
        assert after["since_unix_nano"] == before["at_unix_nano"]


def test_a_window_in_which_the_service_died_is_not_exact(start):
    service = start()
    before = service.window()
    service.kill()
    with pytest.raises(DeploymentError, match="no process of it answers"):
        service.window()
    after = start().window()
    assert after["since_unix_nano"] != before["at_unix_nano"]


@pytest.mark.parametrize(
    ("name", "function"), [("size", "size"), ("later", "later"), ("add", "Cart.add"), ("twice", "twice")]
)
def test_faults_come_and_go_and_lines_are_counted_on(start, name, function):
    service = start()
    well = service.call(name, 9)
    service.window()
    service.call(name, 9)
    lines = service.covered()

    where = service.patch(f"shop:{function}", action="raise", exception="RuntimeError", message="injected")
    assert (where["file"], where["function"]) == ("shop.js", function)
    assert where["first_line"] in lines_of(DEFINED[function])
    assert service.call(name, 9) == {"kind": "Error", "message": "injected", "refused": False}
    assert service.ask("/code/restore", {"function": f"shop:{function}"}) == []
    assert service.call(name, 9) == well

    service.patch(f"shop:{function}", action="delay", delay_s=0.01)
    assert service.call(name, 9) == well
    if function != "twice":  # an arrow without braces
        service.patch(f"shop:{function}", action="return", value={"wrong": 1})
        assert service.call(name, 9) == {"gives": {"wrong": 1}}
    service.ask("/code/restore", {"function": None})

    service.window()
    assert service.call(name, 9) == well
    after = service.window()
    assert after["since_unix_nano"] is not None
    assert {file: entry["covered"] for file, entry in after["files"].items()} == lines


@pytest.mark.parametrize("asked", [0, 2], ids=["as they come", "changed before"])
def test_one_function_of_a_file_after_the_other(start, asked):
    """What functions do and which lines are counted stays the same; `asked` is how often /hello has changed all."""
    service, calls = start(), ("size", "later", "add", "twice")
    well = [service.call(name, 9) for name in calls]
    service.window()
    assert [service.call(name, 9) for name in calls] == well
    lines = service.covered()

    def is_as_before():
        service.window()
        return [service.call(name, 9) for name in calls] == well and service.covered() == lines

    for _ in range(asked):
        service.ask("/hello")
        assert is_as_before()
    for number, function in enumerate(DEFINED):
        service.patch(f"shop:{function}", action="raise", exception="RuntimeError", message="injected")
        assert service.call(calls[number], 9)["message"] == "injected"
        service.ask("/code/restore", {"function": None})
        assert is_as_before()


def test_functions_are_changed_before_any_fault(start):
    """In all services of all cases: what a change costs does not tell who gets a fault."""
    service = start("text.js")
    before = service.call("text")
    assert service.ask("/hello")["absent"] == {}
    after = service.call("text")
    assert (before["gives"], after["gives"]) == ("many", "many")
    assert before["text"] != after["text"]
    service.patch("text:size", action="return", value="wrong")
    assert service.call("text") == {"gives": "wrong", "text": after["text"]}


def test_an_exception_of_the_service_s_own(start):
    service = start()
    service.patch("shop:later", action="raise", exception="Refusal", message="injected")
    assert service.call("later") == {"kind": "Refusal", "message": "injected", "refused": True}


@pytest.mark.parametrize(
    ("function", "wanted", "message"),
    [
        ("shop:each", {"action": "delay", "delay_s": 1}, "it is a generator"),
        ("shop:none", {"action": "delay", "delay_s": 1}, "shop.js has size, later, Cart.add"),
        ("none:size", {"action": "delay", "delay_s": 1}, "no loaded file is none; there are own, shop"),
        ("shop:twice", {"action": "return", "value": 1}, "whose value stays"),
        ("shop:size", {"action": "raise", "exception": "Nothing", "message": ""}, "exception Nothing is neither"),
        ("shop:size", {"action": "explode"}, "none of raise, return, delay"),
    ],
)
def test_what_can_t_be_changed_is_refused(unchanged, function, wanted, message):
    with pytest.raises(DeploymentError, match=message):
        unchanged.patch(function, **wanted)


def test_modules_are_counted_and_changed_too_and_a_loader_of_the_service_s_own_goes_on(start):
    service = start("modules.mjs", options="--import loader.mjs")
    assert {"modules.mjs", "sizes.mjs"} <= set(service.window(full=True)["files"])
    assert service.call("size", 9) == {"gives": "many"}
    assert service.covered()["sizes.mjs"] == [3]
    service.patch("sizes:size", action="return", value="wrong")
    assert service.call("size", 9) == {"gives": "wrong"}


def test_a_preload_of_the_service_s_own_goes_on(unchanged):
    assert unchanged.began == {"own": "kept"}


def test_an_agent_that_fails_does_not_stop_the_service(start, tmp_path):
    service = start(library=tmp_path)
    assert service.call("size") == {"gives": "few"}
    assert "acorn" in service.ask("/hello")["absent"]["coverage"]
    said = service.kill().splitlines()
    assert [line.partition(": Cannot")[0] for line in said] == ["anomod: no coverage"]


def test_an_agent_that_nobody_can_ask_does_not_stop_the_service_either(tmp_path):
    place = Place(
        service="shop",
        asked=Agents("node", source=str(SERVICE)),
        ours=str(INSIDE / "node"),
        library=str(cache.ready(LANGUAGE)),
        run=str(tmp_path / "none"),
    )
    env = {**os.environ, **LANGUAGE.environment(place)}
    words = ["node", str(SERVICE / "shop.js")]
    ended = subprocess.run(words, env=env, input="size 9\n", capture_output=True, text=True)
    assert ended.stdout.splitlines()[1:] == ['{"gives":"many"}']
    assert [line.partition(": listen")[0] for line in ended.stderr.splitlines()] == ["anomod: no agent"]

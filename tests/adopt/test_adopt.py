"""`anomod adopt`: a team's own system is looked at once, and becomes Python that defines it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from runtimes.tiny_server import SERVER

from pytest_anomod.adopt import asking, render
from pytest_anomod.adopt.found import Answer, FoundService, FoundSystem
from pytest_anomod.cli import main
from pytest_anomod.define import procfiles
from pytest_anomod.host.ports import claim_block
from pytest_anomod.model import catalog


@pytest.fixture(autouse=True)
def _own_definitions(monkeypatch, tmp_path):
    """What a test defines is forgotten after it; its state is its own."""
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setattr(catalog, "_looked_into", set())
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    yield
    catalog.offers.cache_clear()


def defined_in(directory: Path, name: str):
    """The system that a written conftest.py defines."""
    source = (directory / "conftest.py").read_text()
    exec(compile(source, directory / "conftest.py", "exec"), {})
    return catalog.find("systems", name)


def assert_clean(directory: Path):
    """As ruff would have it, with its own defaults."""
    for words in (["check", "--isolated"], ["format", "--isolated", "--check", "--diff"]):
        said = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "conftest.py", "test_chaos.py"],
            cwd=directory, capture_output=True, text=True,
        )  # fmt: skip
        assert said.returncode == 0, said.stdout + said.stderr


def test_a_procfile_is_adopted(tmp_path, capsys):
    """Ports written into lines are replaced where they can be; who calls whom is told by who is told whose port."""
    base = claim_block()[0]
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "clock.py").write_text("import time\nwhile True:\n    time.sleep(1)\n")
    python = sys.executable
    (tmp_path / "Procfile").write_text(
        f"stock: PORT={base} {python} server.py stock\n"
        f"prices: {python} -c 'import os; os.environ[\"PORT\"] = \"{base + 1}\"; import sys; "
        f"sys.argv = [\"x\", \"prices\"]; exec(open(\"server.py\").read())'\n"
        f"ticker: {python} clock.py\n"
        f"front: STOCK=http://127.0.0.1:{base} {python} server.py front $STOCK http://127.0.0.1:{base + 1}\n"
    )  # fmt: skip
    code = main(["adopt", str(tmp_path / "Procfile"), "--name", "tiny", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert_clean(tmp_path)
    system = defined_in(tmp_path, "tiny")
    commands = {command.service: command for command in system.deploys[0].commands}
    assert {name: command.port for name, command in commands.items()} == {
        "stock": 0, "prices": base + 1, "ticker": 0, "front": 0,
    }  # fmt: skip
    assert commands["stock"].env["PORT"] == "{stock}"
    assert commands["front"].env["STOCK"] == "http://127.0.0.1:{stock}"
    assert {one.name: one.calls for one in system.services if one.calls} == {"front": ("stock", "prices")}
    assert system.service("ticker").probe.kind == "alive"
    assert system.entry == "front"
    assert [journey.name for journey in system.journeys] == ["get"]
    assert 'target="stock"' in (tmp_path / "test_chaos.py").read_text()
    assert f"prices           http         {base + 1:<20} calls nobody" in said


def test_what_is_there_is_not_written_over(tmp_path, capsys):
    (tmp_path / "Procfile").write_text("web: sleep 300\n")
    (tmp_path / "test_chaos.py").write_text("")
    assert main(["adopt", str(tmp_path / "Procfile"), "--out", str(tmp_path)]) == 2
    assert "test_chaos.py is there already; move it" in capsys.readouterr().err


def test_questions_are_marked_and_told_by_the_exit_code(tmp_path, capsys):
    """Two services that nobody calls: which one users reach can't be found."""
    (tmp_path / "server.py").write_text(SERVER)
    lines = [f"{name}: {sys.executable} server.py {name}\n" for name in ("one", "two")]
    (tmp_path / "Procfile").write_text("".join(lines))
    assert main(["adopt", str(tmp_path / "Procfile"), "--out", str(tmp_path)]) == 3
    text = (tmp_path / "conftest.py").read_text()
    assert f"# {render.MARK}: say which service users reach: entry=" in text
    assert "left to you: say which service users reach" in capsys.readouterr().out
    assert_clean(tmp_path)


def test_a_running_system_is_adopted_by_its_url(tmp_path, pages, capsys):
    """Journeys from its OpenAPI document: those that need nothing and answer."""
    assert main(["adopt", pages, "--name", "theirs", "--out", str(tmp_path)]) == 3
    assert_clean(tmp_path)
    system = defined_in(tmp_path, "theirs")
    assert [journey.name for journey in system.journeys] == ["get_items", "get_orders"]
    assert system.service("entry").probe.path == "/health"
    assert "left to you: name the other services" in capsys.readouterr().out


def test_nothing_at_a_url_is_named(tmp_path, capsys):
    assert main(["adopt", "http://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    assert "nothing answers at http://127.0.0.1:9; start the system" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"paths": {"/a": {"get": {}}}, "basePath": "/v1/"}, ["/v1/a"]),
        ({"paths": {"/a": {"get": {}}}, "servers": [{"url": "https://x/api"}]}, ["/api/a"]),
        ({"paths": {"/a": {"parameters": [{"$ref": "#/x"}], "get": {}}}}, []),
        ({"paths": {"/a": {"post": {}}, "b": {"get": {}}, "/c": "?"}}, []),
    ],
)
def test_pages_of_a_document(document, paths):
    assert list(asking.pages_of(document)) == paths


def test_what_is_written_is_python_whatever_the_names():
    """Names with dashes, quotes and digits first."""
    answer = Answer(value="http", why="it said 'http'\nand more")
    service = FoundService(name='a"b', engine=answer, port=Answer(value="", why="x"), calls={"c-d": "y"})
    other = FoundService(name="c-d", engine=answer, port=None)
    system = FoundSystem(
        name="2nd shop", factory="procfile_system", arguments=(Answer(value='"P"', why=""),),
        services=(service, other), entry=None, journeys=(),
    )  # fmt: skip
    compile(render.definition(system, "anomod adopt P"), "conftest.py", "exec")
    compile(render.first_test(system), "test_chaos.py", "exec")


def test_variables_that_a_line_begins_with():
    assert procfiles.assigned("A=1 B='x y' node $C") == {"A": "1", "B": "x y"}

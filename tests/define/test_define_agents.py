"""Which services get agents: as it is said, or as their words, images and Dockerfiles tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_anomod.define.agents import agents_of_commands, agents_of_document, guess_command, guess_service
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Agents, Command


@pytest.mark.parametrize(
    ("words", "language", "source"),
    [
        (("python3.12", "catalog/app.py"), "python", "catalog"),
        (("env PYTHONPATH=lib ${PYTHON:-python3} app.py",), "python", ""),
        (("gunicorn", "-w", "2", "shop:app"), "python", ""),
        (("node gateway/server.js",), "node", "gateway"),
        (("npm start",), "node", ""),
        (("java", "-jar", "orders.jar"), "java", ""),
        (("./mvnw", "spring-boot:run"), "java", ""),
        (("go run .",), "go", ""),
    ],
)
def test_a_command_tells_its_language(words, language, source):
    guess = guess_command(Command(service="one", argv=words), Path("/nowhere"))
    assert guess is not None
    assert guess.agents == Agents(language, source=source)


def test_a_program_that_go_built_is_known_by_its_content(tmp_path):
    (tmp_path / "pricing").write_bytes(b"\x7fELF" + bytes(5000) + b"\xff Go buildinf:" + bytes(50))
    (tmp_path / "other").write_bytes(b"\x7fELF" + bytes(5000))
    of_go = guess_command(Command(service="one", argv=("./pricing",)), tmp_path)
    assert of_go is not None
    assert of_go.agents.language == "go"
    assert guess_command(Command(service="one", argv=("./other",)), tmp_path) is None


def test_a_dockerfile_tells_the_stage_that_is_built(tmp_path):
    (tmp_path / "Dockerfile").write_text(
        "FROM debian AS base\nWORKDIR /shop\n"
        'FROM base AS catalog\nENTRYPOINT ["python3"]\nCMD ["app.py"]\n'
        "FROM base AS gateway\nWORKDIR web\nCMD node \\\n server.js\n"
        "FROM redis\n"
    )
    build = {"context": str(tmp_path)}
    catalog = guess_service({"build": {**build, "target": "catalog"}})
    gateway = guess_service({"build": {**build, "target": "gateway"}})
    assert catalog is not None
    assert gateway is not None
    assert catalog.agents == Agents("python", source="/shop")
    assert gateway.agents == Agents("node", source="/shop/web")
    assert guess_service({"build": build}) is None


@pytest.mark.parametrize(
    ("service", "language"),
    [
        ({"image": "registry.example:5000/team/python:3.13-slim"}, "python"),
        ({"image": "eclipse-temurin:21"}, "java"),
        ({"image": "team/shop:1", "command": ["uvicorn", "shop:app"]}, "python"),
        ({"image": "nginx"}, None),
    ],
)
def test_an_image_or_a_command_tells_it(service, language):
    guess = guess_service(service)
    assert (guess and guess.agents.language) == language


def test_what_is_said_counts():
    commands = [Command(service="a", argv=("./a",)), Command(service="b", argv=("python b.py",))]
    said = {"a": "python", "b": Agents("node", source="src")}
    assert agents_of_commands(said, commands, Path(), "here") == (
        ("a", Agents("python")),
        ("b", Agents("node", source="src")),
    )
    assert agents_of_commands(False, commands, Path(), "here") == ()
    assert agents_of_commands(True, commands, Path(), "here") == (("b", Agents("python")),)


def test_a_name_or_a_language_that_is_none_is_refused():
    commands = [Command(service="a", argv=("./a",))]
    with pytest.raises(ScenarioError, match="no service 'b'"):
        agents_of_commands({"b": "python"}, commands, Path(), "here")
    with pytest.raises(ScenarioError, match="'cobol' is none of python"):
        agents_of_commands({"a": "cobol"}, commands, Path(), "here")


def test_stores_of_a_document_are_left_alone():
    document = {"services": {"db": {"command": ["python", "db.py"]}, "web": {"command": ["python", "web.py"]}}}
    assert agents_of_document(True, document, ["web"], "shop") == (("web", Agents("python")),)

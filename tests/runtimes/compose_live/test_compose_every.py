"""What compose files can have: all of it in one system that comes up; what can't be had is refused in one line."""

from __future__ import annotations

import os
import shutil
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod import compose_system
from pytest_anomod.model import catalog, redact
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.system import ComposeFiles
from pytest_anomod.runtimes.compose import ComposeRuntime
from pytest_anomod.runtimes.compose.resolve import resolve

HERE = Path(__file__).parent


@pytest.fixture
def every(tiny, monkeypatch):
    """The directory of the files, beside that of the program; what is defined is forgotten afterwards."""
    directory = tiny.parent / "every"
    if not directory.exists():
        shutil.copytree(HERE / "every", directory)
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    monkeypatch.setattr(redact, "_told", [])
    yield directory
    catalog.offers.cache_clear()


def defined(every, **more):
    """The system of both files."""
    return compose_system(every / "compose.yaml", every / "second.yaml", env_files=[every / "told.env"], **more)


def test_it_is_read_as_compose_reads_it(every):
    """Several files, include, extends, anchors, !reset, env files, profiles, replicas, configs, secrets."""
    system = defined(every)
    assert [service.name for service in system.services] == ["front", "side", "worker"]
    assert system.entry == "front"
    assert set(system.service("front").calls) == {"worker", "side"}
    document = resolve(system.deploy(ComposeFiles)).document
    worker = document["services"]["worker"]
    wanted = {"FROM_BASE": "yes", "FROM_ENV_FILE": "a word", "FROM_SECOND": "told by a file"}
    assert worker["environment"].items() >= wanted.items()
    assert (worker["read_only"], worker["cap_drop"], worker["mem_limit"]) == (True, ["ALL"], "20971520")
    assert not worker.get("command")
    assert "looker" not in document["services"]
    assert redact.redact_text("it is the-key-of-all") == "it is [redacted]"
    looking = defined(every, profiles=["looking"], entry="front")
    assert "looker" in [service.name for service in looking.services]


def test_a_subset_comes_with_what_it_depends_on(every):
    """As `docker compose up worker` does."""
    document = resolve(defined(every, services=["worker"], entry="worker").deploy(ComposeFiles)).document
    assert set(document["services"]) == {"worker"}
    document = resolve(defined(every, services=["front"]).deploy(ComposeFiles)).document
    assert set(document["services"]) == {"front", "worker", "first"}


def test_it_comes_up(every, compose_session):
    """With two containers of one service, in 20 MB, on a read-only file system, of an image named after the project."""
    runtime = ComposeRuntime()
    deployment = runtime.up(defined(every), compose_session)
    try:
        with urllib.request.urlopen(f"{deployment.entry_url}/all", timeout=5) as answer:
            assert answer.read() == b"hello /all\n"
        assert {one.instance_id for one in deployment.instances("worker")} == {"worker.1-1", "worker.2-1"}
        assert len({one.pid for one in deployment.instances("worker")}) == 2
        environment = deployment.seen("worker").environment
        assert environment["FROM_SECOND"] == "told by a file"
        assert "WITHOUT_VALUE" not in deployment.seen("front").environment
        root = Path(f"/proc/{deployment.instances('worker')[0].pid}/root")
        assert (root / "run" / "secrets" / "key").read_text() == "the-key-of-all\n"
        root = Path(f"/proc/{deployment.instances('front')[0].pid}/root")
        assert (root / "page").read_text() == "a page"
        assert deployment.unhealthy() == ()
        assert deployment.notes == ()
    finally:
        runtime.down(deployment)


def test_the_network_of_the_machine_can_be_had_once(every, compose_session):
    """It says so, and has no network of its own to be ruled."""
    file = every / "host.yaml"
    text = "name: hosted\nservices:\n  web:\n    image: every-front\n    network_mode: host\n"
    file.write_text(text + f"    build: {{context: ../tiny}}\n    environment: {{PORT: '{28_990}'}}\n")
    system = compose_system(file, entry="web", ports={"web": 28_990})
    runtime = ComposeRuntime()
    deployment = runtime.up(system, compose_session)
    try:
        assert any("only one of it at a time" in note and "network_mode: host" in note for note in deployment.notes)
        from pytest_anomod.model.capability import Listener, NetNamespace, Resolver

        assert [deployment.capability(kind, "web") for kind in (NetNamespace, Listener, Resolver)] == [None] * 3
        with urllib.request.urlopen(f"{deployment.entry_url}/h", timeout=5) as answer:
            assert answer.read() == b"hello /h\n"
    finally:
        runtime.down(deployment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n  web: {image: x, ports: 80}\n", "services.web.ports"),
        ("services:\n  web: {image: x, networks: [nowhere]}\n", 'service "web" refers to undefined network nowhere'),
        ("services:\n  web: {}\n", "web"),
        ("services:\n  web: {image: x, depends_on: [db]}\n", "db"),
        ("services:\n  web:\n image: x\n", "yaml"),
    ],
)
def test_what_compose_refuses_is_said_in_one_line(every, text, said):
    """With the file and the place."""
    (every / "wrong.yaml").write_text(text)
    with pytest.raises(ScenarioError) as raised:
        compose_system(every / "wrong.yaml")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("    network_mode: container:nobody\n", "service 'web': network_mode: container 'nobody'"),
        ("    secrets: [s]\nsecrets: {s: {external: true}}\n", "secrets 's': external"),
    ],
)
def test_what_we_refuse_is_said_in_one_line(every, compose_session, lines, said):
    """Before anything is started."""
    (every / "refused.yaml").write_text(f"services:\n  web:\n    image: every-front\n{lines}")
    system = compose_system(every / "refused.yaml", name="refused", entry="web", ports={"web": 8000})
    with pytest.raises(DeploymentError, match="can't be brought up") as raised:
        ComposeRuntime().up(system, compose_session)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_who_does_not_come_up_is_named_with_its_last_words(every, compose_session):
    """Without the password in them."""
    text = "services:\n  web:\n    image: every-front\n    build: ../tiny\n    command: [fail]\n    ports: ['8000']\n"
    (every / "failing.yaml").write_text(text + "    environment: {TOLD_PASSWORD: not-for-logs}\n")
    with pytest.raises(DeploymentError, match="service 'web' ended with code 3") as raised:
        ComposeRuntime().up(compose_system(every / "failing.yaml", name="failing"), compose_session)
    assert "could not do it, password [redacted]" in str(raised.value)
    assert "not-for-logs" not in str(raised.value)
    assert not os.path.exists(compose_session.directory / "deployments" / "failing")

"""Which compose command is taken, what it is asked, and what its errors become."""

from __future__ import annotations

import os

import pytest
from documents import SHOP

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import ComposeFiles
from pytest_anomod.runtimes.compose import cli
from pytest_anomod.runtimes.compose.resolve import resolve


@pytest.fixture
def asked(tmp_path):
    """Two files and an environment file."""
    for name in ("a.yaml", "b.yaml", "one.env"):
        (tmp_path / name).write_text("")
    files = (str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"))
    return ComposeFiles(
        files=files, profiles=("debug",), env_files=(str(tmp_path / "one.env"),), services=("gateway", "db")
    )


def test_it_is_asked_with_all_files_profiles_and_services(fake_compose, asked, tmp_path):
    """In the words that compose takes, relative to the first file."""
    fake_compose.say(document=SHOP)
    found = resolve(asked)
    assert found.document == SHOP
    assert found.project == "shop"
    where = ["--file", asked.files[0], "--file", asked.files[1], "--profile", "debug"]
    where += ["--project-directory", str(tmp_path), "--env-file", asked.env_files[0]]
    assert fake_compose.calls == [[*where, "config", "--format", "json", "gateway", "db"]]


def test_it_is_asked_once_for_files_of_that_content(fake_compose, asked):
    """And again when a file has changed."""
    fake_compose.say(document=SHOP)
    assert resolve(asked) is resolve(asked)
    assert len(fake_compose.calls) == 1
    with open(asked.files[1], "w") as file:
        file.write("services: {}")
    resolve(asked)
    assert len(fake_compose.calls) == 2


def test_an_error_is_one_line_without_secrets(fake_compose, asked):
    """Warnings before it are left out."""
    fake_compose.say(
        code=1,
        stderr='time="2026-01-01T00:00:00Z" level=warning msg="The \\"X\\" variable is not set."\n'
        'service "web" refers to undefined network x of redis://me:hidden-word@y: invalid compose project\nmore\n',
    )
    with pytest.raises(DeploymentError) as raised:
        resolve(asked)
    assert str(raised.value).startswith('service "web" refers to undefined network')
    assert "hidden-word" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_warnings_are_kept_once_each(fake_compose, asked):
    """They become notes of the deployment."""
    line = 'time="2026-01-01T00:00:00Z" level=warning msg="The \\"X\\" variable is not set."\n'
    fake_compose.say(document=SHOP, stderr=line * 2)
    assert resolve(asked).warnings == ('The "X" variable is not set.',)


def test_a_file_that_is_not_there_is_named(asked, fake_compose):
    """Before anybody is asked."""
    os.unlink(asked.files[1])
    with pytest.raises(DeploymentError, match=r"b\.yaml can't be read: No such file"):
        resolve(asked)
    assert fake_compose.calls == []


def test_what_is_no_json_is_an_error(fake_compose, asked, tmp_path):
    """Whatever it is."""
    program = tmp_path / "bin" / "docker-compose"
    program.write_text(program.read_text().replace('json.dumps(told.get("document", {}))', '"oh"'))
    with pytest.raises(DeploymentError, match="printed no JSON"):
        resolve(asked)


@pytest.mark.parametrize("version", ["v2.40.3", "2.24.0-desktop.1", "5.0.0"])
def test_new_ones_are_taken(fake_compose, version):
    """Of any make."""
    fake_compose.say(version=version)
    (path,), found = cli.find()
    assert path.endswith("docker-compose")
    assert found == version.removeprefix("v")
    assert cli.why_not() == ""


@pytest.mark.parametrize("version", ["1.29.2", "2.23.3", "dev"])
def test_old_ones_are_refused_with_what_was_found(fake_compose, version):
    """And with what is wanted."""
    fake_compose.say(version=version)
    assert cli.why_not().startswith(f"no docker compose 2.24 or newer here (`docker-compose` is version {version})")


def test_the_plugin_comes_first(fake_compose, tmp_path):
    """It is what people call docker compose; without it, the program by itself is taken."""
    docker = tmp_path / "bin" / "docker"
    docker.write_text((tmp_path / "bin" / "docker-compose").read_text())
    docker.chmod(0o755)
    assert cli.find()[0] == (str(docker), "compose")
    cli.find.cache_clear()
    docker.write_text("#!/bin/false\n")
    assert cli.find()[0] == (str(tmp_path / "bin" / "docker-compose"),)


def test_without_any_it_is_said_what_to_install(monkeypatch, tmp_path):
    """On a machine without Docker."""
    monkeypatch.setenv("PATH", str(tmp_path))
    cli.find.cache_clear()
    try:
        assert "install Docker's compose plugin" in cli.why_not()
    finally:
        cli.find.cache_clear()

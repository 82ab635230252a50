"""The tests of the compose runtime that need no engine have a compose command of their own."""

from __future__ import annotations

import pytest
from fake_compose import FakeCompose

from pytest_anomod.runtimes.compose import cli, resolve


@pytest.fixture
def fake_compose(tmp_path, monkeypatch):
    """The only compose command on PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    cli.find.cache_clear()
    monkeypatch.setattr(resolve, "_resolved", {})
    yield FakeCompose(directory)
    cli.find.cache_clear()

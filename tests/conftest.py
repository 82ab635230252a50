"""What tests of several parts share: a home of the fake blade."""

from __future__ import annotations

import pytest


@pytest.fixture
def blade_home(tmp_path, monkeypatch):
    """A home of the fake blade, chosen by the environment as a user would."""
    from injectors.blade_home import make_home

    home = make_home(tmp_path / "kit")
    monkeypatch.setenv("ANOMOD_BLADE_HOME", str(home))
    return home

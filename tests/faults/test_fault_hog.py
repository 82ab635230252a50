"""What fills a container's memory never fills the machine: without a limit that holds for it, it ends at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_anomod.faults.helpers import hog


@pytest.mark.parametrize(
    ("names", "limit", "is_limited"),
    [
        (("memory.usage_in_bytes", "memory.limit_in_bytes"), "9223372036854771712", False),
        (("memory.usage_in_bytes", "memory.limit_in_bytes"), "60000000", True),
        (("memory.current", "memory.max"), "max", False),
        (("memory.current", "memory.max"), "60000000", True),
        (("memory.current", ""), "", False),
    ],
)
def test_only_a_limit_of_its_own_group_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], limit: str, is_limited: bool
) -> None:
    """Of either version; the root of version 2 has no file for a limit. Its use is what can't be freed."""
    version_1 = names[0] == "memory.usage_in_bytes"
    directory = tmp_path / "memory" if version_1 else tmp_path
    directory.mkdir(exist_ok=True)
    monkeypatch.setattr(hog, "_ROOTS", {"memory": str(tmp_path / "memory"), "": str(tmp_path)})
    (directory / names[0]).write_text("50000000\n")
    (directory / "memory.stat").write_text("inactive_file 1000\nactive_file 500\n")
    if names[1]:
        (directory / names[1]).write_text(f"{limit}\n")
    assert hog._is_limited() is is_limited
    if names[1]:
        assert hog._use() == (49_998_500, 60_000_000 if is_limited else 50_000_000)


def test_without_a_limit_it_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why, and ends before it has a child."""
    monkeypatch.setattr(hog, "_is_limited", lambda: False)
    monkeypatch.setattr(hog.signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it began to take memory"))
    monkeypatch.setattr("sys.argv", ["hog.py", "--mode", "overrun", "--deadline-s", "5"])
    assert hog.main() == hog.NO_LIMIT

"""Homes of the fake blade, with fake executors or real ones, for tests that drive one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

EXECUTORS = "ANOMOD_BLADE_EXECUTORS"
"""Environment variable: a directory with real executors, made by `scripts/build_blade.py DIRECTORY --no-cli`."""
HERE = Path(__file__).parent
ACTIONS = {
    "os": {
        ("process", "kill"): ("pid", "signal", "process"),
        ("process", "stop"): ("pid", "process"),
        ("cpu", "fullload"): ("cpu-percent", "cpu-count"),
    },
    "middleware": {("redis", "cache-limit"): ("addr", "password", "size", "percent")},
}
DETACHED = {("cpu", "fullload")}


def make_home(directory: Path, version: str = "1.7.4") -> Path:
    """A whole home: program, executors, specifications of that version."""
    for name in ("bin", "yaml"):
        (directory / name).mkdir(parents=True)
    _program(directory / "blade", "fake_blade.py")
    for name in ("chaos_os", "chaos_middleware"):
        _program(directory / "bin" / name, "fake_executors.py")
    for kind, actions in ACTIONS.items():
        (directory / "yaml" / f"chaosblade-{kind}-spec-{version}.yaml").write_text(_specification(actions))
    return directory


def real_executors() -> Path | None:
    """The directory that $ANOMOD_BLADE_EXECUTORS names; None without."""
    named = os.environ.get(EXECUTORS)
    return Path(named).absolute() if named else None


def make_home_around(executors: Path, directory: Path) -> Path:
    """A home of the fake blade with real executors and their own specifications."""
    directory.mkdir()
    for name in ("bin", "yaml"):
        (directory / name).symlink_to(executors / name)
    _program(directory / "blade", "fake_blade.py")
    return directory


def _program(path: Path, source: str) -> None:
    text = (HERE / source).read_text(encoding="utf-8")
    path.write_text(f"#!{sys.executable} -IS\n{text}", encoding="utf-8")
    path.chmod(0o755)


def _specification(actions: dict[tuple[str, str], tuple[str, ...]]) -> str:
    lines = ["version: v1", "kind: plugin", "items:"]
    for (target, action), flags in actions.items():
        lines += [f"- target: {target}", "  actions:", f"  - action: {action}", "    flags:"]
        for flag in flags:
            lines += [f"    - name: {flag}", "      noArgs: false"]
        lines += [f"    actionProcessHang: {str((target, action) in DETACHED).lower()}"]
    return "\n".join(lines) + "\n"

"""The programs locust and k6: found, asked whether a file is good, and their command lines through our proxy."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import ScenarioError

K6 = "ANOMOD_K6"
"""Environment variable with the k6 program, where it is not on PATH."""
INSPECT_TIMEOUT_S = 60.0
_BASE = re.compile(r"http://[\w.\-\[\]:]*\w(?=[/\"'`$?]|$)", re.MULTILINE)
_OPTIONS = re.compile(r"\b(vus|stages|scenarios|iterations)\b\s*:")
_DROPPED = re.compile(r"(?i)(all|https?|ftp|no)_proxy|pytest_.*|anomod_(?!session$|k6$).*|locust_.*|k6_.*")


def check_locust(path: Path) -> None:
    """ScenarioError, with file and line, for what is no locust file; and where locust is missing."""
    where = f"locust:{path}"
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        msg = f"{where}: can't be read: {error.strerror}"
        raise ScenarioError(msg) from error
    except (SyntaxError, ValueError) as error:
        msg = f"{where}:{getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}"
        raise ScenarioError(msg) from error
    bases = [ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
    if not any("User" in base for base in bases):
        msg = f"{where}: no class in it derives from locust's HttpUser or FastHttpUser"
        raise ScenarioError(msg)
    if importlib.util.find_spec("locust") is None:
        msg = f"{where}: locust is not installed: pip install 'pytest-anomod[locust]'"
        raise ScenarioError(msg)


def find_k6() -> str:
    """The k6 program; ScenarioError when there is none."""
    named = os.environ.get(K6)
    found = shutil.which(named or "k6")
    if found is None:
        said = f"{K6}={named} is no program" if named else "k6 is not on PATH"
        msg = f"{said}: install it (https://k6.io, or go install go.k6.io/k6@latest), or name it by {K6}"
        raise ScenarioError(msg)
    return found


def check_k6(path: Path) -> None:
    """ScenarioError for a script that k6 itself can't read, with its words: file, line and column."""
    if not path.is_file():
        msg = f"k6:{path}: there is no such file"
        raise ScenarioError(msg)
    done = subprocess.run(
        [find_k6(), "inspect", "--log-format", "raw", str(path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSPECT_TIMEOUT_S,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"k6 ended with {done.returncode}"]
        msg = f"k6:{path}: {' '.join(line.strip() for line in lines[:2])[:400]}"
        raise ScenarioError(msg)


def written_bases(path: Path) -> dict[str, str]:
    """URLs http://HOST:PORT that a file has written into it, all taken for the system's entry."""
    return dict.fromkeys(_BASE.findall(path.read_text(encoding="utf-8", errors="replace")), "")


def command(spec: Mapping[str, Any], port: int, scratch: Path) -> tuple[list[str], dict[str, str]]:
    """The command line of a spec's program and its environment, so that all it sends goes to the proxy at `port`."""
    proxy, path, users = f"http://127.0.0.1:{port}", str(spec["path"]), str(spec["users"])
    kept = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    environment = kept | {"ANOMOD_BASE_URL": proxy, "BASE_URL": proxy}
    seconds = f"{int(float(spec['deadline_s'])) + 1}s"
    if spec["kind"] == "locust":
        words = [sys.executable, "-m", "pytest_anomod.workloads.locust_main", "-f", path, "--headless", "-H", proxy]
        return [*words, "-u", users, "-r", users, "-t", seconds, "--only-summary", "--loglevel", "WARNING"], environment
    places = {base.removeprefix("http://"): f"127.0.0.1:{port}" for base in spec.get("bases") or {}}
    hosts = {place if ":" in place else f"{place}:80": to for place, to in places.items()}
    config = scratch / "k6.json"
    config.write_text(json.dumps({"hosts": hosts}), encoding="utf-8")
    words = [find_k6(), "run", "--no-usage-report", "--quiet", "--no-summary", "--address", "", "--config", str(config)]
    if not _OPTIONS.search(Path(path).read_text(encoding="utf-8", errors="replace")):
        words += ["--vus", users, "--duration", seconds]
    return [*words, path], environment | {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ""}

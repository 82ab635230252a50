"""Replays a Python HTTP test suite (unittest or pytest style, EvoMaster's) as the workload, in a process of its own.

`python -m` of this module is that process: SPECFILE RECORDS plays a suite, `--collect SUITE OUT` only looks at it.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import System
from pytest_anomod.model.workload import Suite
from pytest_anomod.workloads.sender import is_running, launch, stop, summary
from pytest_anomod.workloads.suite_address import place_of

__all__ = ["BASE_URL", "is_running", "prepare", "start", "stop", "summary"]

BASE_URL = "ANOMOD_BASE_URL"
"""Environment variable with the entry's URL, for suites that ask."""

INSTALLED_BY = {"timeout_decorator": "timeout-decorator", "rfc3986": "rfc3986"}
"""Modules that EvoMaster's suites import, and the packages of the extra [suites] that have them."""

AUTO = "auto"
COLLECT_TIMEOUT_S = 120.0
_BASE_NAME = re.compile(
    r"(base|host|root|sut|api|server|target|gateway).*ur[il]|ur[il].*(base|host|root|sut)|^(base|host|url)$", re.I
)
_BASE = re.compile(r"https?://[^/\s:]+(:\d+)?(?=/|$)")
EVOMASTER_UTILS = "em_test_utils"
_NO_MODULE = re.compile(r"No module named '(\w+)")
_DROPPED = re.compile(r"(?i)(all|https?|ftp)_proxy|pytest_.*|anomod_.*")


def prepare(path: Path, *, once: bool = False, bases: Sequence[str] = (AUTO,), system: System) -> Suite:
    """The workload that replays the suite at `path`; ScenarioError says what is wrong with it, with file and line.

    `bases` are URLs of a system's service that the tests have written into them, each as URL or SERVICE=URL; "auto"
    takes those that look like it from the suite's own assignments, such as EvoMaster's baseUrlOfSut.
    """
    if not path.exists():
        msg = f"--anomod-suite {path}: there is no such file or folder"
        raise ScenarioError(msg)
    path = path.resolve()
    known: dict[str, str] = {}
    for base in bases:
        if base != AUTO:
            service, _, url = base.rpartition("=") if not base.lower().startswith("http") else ("", "", base)
            known[_checked(url, f"--anomod-suite-base {base}")] = service and system.service(service).name
    sources = _sources(path)
    if AUTO in bases:
        known = {base: "" for source in sources for base in _written_bases(source)} | known
    _collected(path, tuple(source.stat().st_mtime_ns for source in sources), system.login_variables)
    return Suite(path=str(path), once=once, bases=known)


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Start the replay and return once the first request was sent; the handle is as the open loop's.

    `spec` has system, suite (path), once, bases (URL -> service, "" for the entry), rate_rps (most tests a second),
    timeout_s, seed, deadline_s, entry_url, urls. CaptureError when no request comes, and says what came instead.
    """
    environment = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    environment |= {BASE_URL: str(spec["entry_url"]), "NO_PROXY": "*"}
    session = os.environ.get("ANOMOD_SESSION")
    return launch(
        "pytest_anomod.workloads.suite",
        spec,
        records,
        timeout_s=float(spec["timeout_s"]),
        environment=environment | ({"ANOMOD_SESSION": session} if session else {}),
        has_begun=lambda state: state["requests"] > 0,
    )


def _sources(path: Path) -> list[Path]:
    """The Python files of a suite; ScenarioError with file and line for one that is no Python."""
    sources = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    for source in sources:
        try:
            ast.parse(source.read_bytes(), str(source))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            msg = f"--anomod-suite {path}: {source}:{line}: {getattr(error, 'msg', error)}"
            raise ScenarioError(msg) from error
    return sources


@functools.lru_cache
def _collected(path: Path, changed: tuple[int, ...], login_variables: tuple[str, ...]) -> int:
    """How many tests pytest finds, asked in a process of its own; ScenarioError for none, and for errors.

    Nothing is sent, so what a suite asks the environment for may have any value.
    """
    with tempfile.TemporaryDirectory(prefix="suite-") as scratch:
        out = Path(scratch, "collected.json")
        environment = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
        environment |= {BASE_URL: "http://127.0.0.1:9", **dict.fromkeys(login_variables, "unknown")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest_anomod.workloads.suite", "--collect", str(path), str(out)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=COLLECT_TIMEOUT_S,
        )  # fmt: skip
        if not out.exists():
            msg = f"--anomod-suite {path}: pytest can't read it: {(done.stderr or done.stdout)[-1000:].strip()}"
            raise ScenarioError(msg)
        found = json.loads(out.read_text(encoding="utf-8"))
    if missing := _missing(path, found["errors"]):
        raise ScenarioError(f"--anomod-suite {path}: {missing}")
    if found["errors"]:
        msg = f"--anomod-suite {path}: {found['errors'][0]}"
        raise ScenarioError(msg)
    if not found["tests"]:
        msg = f"--anomod-suite {path}: no tests in it: pytest finds neither test functions nor unittest classes"
        raise ScenarioError(msg)
    return len(found["tests"])


def _missing(path: Path, errors: Sequence[str]) -> str:
    """The modules that a suite lacks, and what to do; "" when no error is about one.

    An error names the first one of a file only, so the other imports of the suite are looked at, too.
    """
    named = {name for error in errors for name in _NO_MODULE.findall(error)}
    if not named:
        return ""
    sources = _sources(path)
    beside = {source.stem for source in sources} | {source.parent.name for source in sources}
    imported = {name for source in sources for name in _imported(source)} - beside
    missing = sorted(named | {name for name in imported if importlib.util.find_spec(name) is None})
    advice = []
    packages = [name for name in missing if name != EVOMASTER_UTILS]
    if packages and INSTALLED_BY.keys() >= {*packages}:
        advice.append("pip install 'pytest-anomod[suites]'")
    elif packages:
        advice.append(f"pip install {' '.join(INSTALLED_BY.get(name, name) for name in packages)}")
    if EVOMASTER_UTILS in missing:
        advice.append(f"copy {EVOMASTER_UTILS}.py beside the tests, from the folder that EvoMaster wrote them to")
    return f"it imports what is not there: {', '.join(missing)}; {'; '.join(advice)}"


def _imported(source: Path) -> Iterator[str]:
    """The top-level modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _checked(url: str, where: str) -> str:
    try:
        place_of(url)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ScenarioError(msg) from None
    return url


def _written_bases(source: Path) -> Iterator[str]:
    """Base URLs that a file assigns to names like baseUrlOfSut, BASE_URL or host."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [getattr(target, "id", getattr(target, "attr", "")) for target in targets]
        if not any(_BASE_NAME.search(name) for name in names):
            continue
        for part in ast.walk(node.value):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                found = _BASE.match(part.value)
                if found and found.group().startswith("http://"):
                    yield found.group()


def main(arguments: list[str]) -> int:
    """Play the spec of a file, or look at a suite."""
    from pytest_anomod.workloads import suite_player

    sys.dont_write_bytecode = True  # a suite's folder stays as it is
    if arguments[0] == "--collect":
        suite, out = map(Path, arguments[1:])
        found = suite_player.collect(suite)
        out.write_text(json.dumps(found), encoding="utf-8")
        return 0
    spec_file, records = map(Path, arguments)
    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    player = suite_player.Player(spec, records.absolute())
    folder = player.suite if player.suite.is_dir() else player.suite.parent
    os.chdir(folder)
    player.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Chaos Toolkit experiments as tests: files with one difficulty each, and their results here and in `chaos run`."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SET = Path(__file__).parent / "imported"
SECRET = "tulip-bulb-secret-99"
JSONPATH = importlib.util.find_spec("jsonpath2") is not None


class Expected(NamedTuple):
    """What the test of a file comes to, words of its message, and whether `chaos run` says the same of it."""

    outcome: str
    words: str = ""
    stricter: str = ""
    """Why it fails here although `chaos run` ends with 0, or passes although it does not."""


FILES = {
    "action_fails.yaml": Expected("passed"),
    "background.yaml": Expected("passed"),
    "broken.json": Expected("error", "broken.json:3: not JSON"),
    "configuration_default.yaml": Expected("passed"),
    "configuration_from_environment.yaml": Expected("failed", "ANOMOD_TEST_NEVER_SET"),
    "configuration_from_file.yaml": Expected("passed"),
    "configuration_from_probe.yaml": Expected("passed"),
    "control_reads_input.yaml": Expected("passed"),
    "deviates.yaml": Expected("failed", "probe 'file-is-there' (line 6) answered false; its tolerance is true"),
    "dollar_parenthesis.yaml": Expected("passed"),
    "dry.yaml": Expected("error", "dry.yaml:3: dry: 'actions' has no effect", "chaos run plays what should be dry"),
    "empty.yaml": Expected("error", "empty.yaml:1: not a Chaos Toolkit experiment: it is empty"),
    "empty_values.json": Expected("passed"),
    "exits.yaml": Expected("failed", "ended early (exit code 7); played 1 rollback"),
    "extensions_mapping.yaml": Expected("passed", stricter="chaos run ends in a traceback"),
    "float_tolerance.yaml": Expected("error", "write {type: range, range: [0.5, 0.5]}"),
    "gate_not_met.yaml": Expected("failed", "does not hold before the method", "the method was never played"),
    "holds.json": Expected("passed"),
    "host_gone.yaml": Expected("failed", "failed to connect to http://shop.invalid/health"),
    "host_moved.yaml": Expected("passed"),
    "jsonpath.json": Expected("passed") if JSONPATH else Expected("error", "pip install 'chaostoolkit-lib[jsonpath]'"),
    "key_twice.json": Expected(
        "error", "key_twice.json:6: the key 'method' stands twice", "half of it is never played"
    ),
    "key_twice.yaml": Expected("error", "stands twice (first in line 3)", "half of it is never played"),
    "list.json": Expected("error", "at its top there is a list"),
    "manifest.yaml": Expected("error", "manifest of kind 'PodChaos'; `anomod import"),
    "method_empty.yaml": Expected("passed"),
    "module_beside.yaml": Expected("passed"),
    "module_missing.yaml": Expected("failed", "line 4: 'call': there is no Python module 'chaos_of_nobody.actions'"),
    "null_sections.yaml": Expected("error", "rollbacks is not a list, but empty"),
    "only_load.yaml": Expected("passed"),
    "only_roll_out.yaml": Expected("passed"),
    "pauses.yaml": Expected("passed"),
    "pipe.yaml": Expected("passed"),
    "probe_raises.yaml": Expected("failed", "'it-raises' (line 6) failed: RuntimeError: it is broken"),
    "program_missing.yaml": Expected("failed", "there is no program 'no-such-program-here'"),
    "provider_unknown.yaml": Expected("error", "provider_unknown.yaml:5: method: 'typed-wrong' has type 'acton'"),
    "published_certificate.yaml": Expected("failed", "deviated: the hypothesis does not hold after the method"),
    "published_exchange.json": Expected("error", "published_exchange.json:20: hypothesis: 'service-is-available'"),
    "published_language.json": Expected("passed"),
    "published_language_switched.json": Expected("failed", "probe 'lookup-text' (line 21) answered"),
    "published_website.json": Expected("passed"),
    "recursive.yaml": Expected("error", "an alias holds itself"),
    "ref.yaml": Expected("passed"),
    "ref_unknown.yaml": Expected("error", "ref_unknown.yaml:5: method: 'cuont' refers to an activity that is neither"),
    "rollback_breaks.yaml": Expected("failed", "the rollback broke it", "chaos run does not look again"),
    "rollback_fails.yaml": Expected(
        "failed", "the rollback 'switch-off' failed", "chaos run forgives a failed undoing"
    ),
    "rollbacks_empty.yaml": Expected("passed"),
    "secrets.yaml": Expected("passed"),
    "strategies.yaml": Expected("passed"),
    "strategy_continous.yaml": Expected("passed"),
    "tag.yaml": Expected("error", "could not determine a constructor for the tag"),
    "tolerance_on_action.yaml": Expected("passed"),
    "variables.yaml": Expected("error", "variables.yaml:1: not a Chaos Toolkit experiment: it has no 'method'"),
}


class Shop(http.server.BaseHTTPRequestHandler):
    """What experiments ask: /health, /status/CODE, and /city/X, which fails while its state is expired."""

    state = Path()

    def do_GET(self) -> None:
        code = 200
        if self.path.startswith("/status/"):
            code = int(self.path.rpartition("/")[2])
        elif self.path.startswith("/city/") and any(
            "expired" in file.read_text() for file in self.state.rglob("shop-state.txt")
        ):
            code = 500
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b'{"a": 1}')

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Address of the service, and the folder below which it finds its state."""
    Shop.state = tmp_path_factory.mktemp("experiments")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Shop.state
    server.shutdown()
    server.server_close()


def environment(folder: Path) -> dict[str, str]:
    """A user's environment in which the secret is set."""
    return {**os.environ, "ANOMOD_TEST_SECRET": SECRET, "PYTHONPATH": str(ROOT), "ANOMOD_STATE_DIR": str(folder)}


def run_pytest(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Pytest in a folder, as a user runs it."""
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, words)]
    state = folder.parent / "state"
    return subprocess.run(argv, cwd=folder, env=environment(state), capture_output=True, text=True, check=False)


class Run(NamedTuple):
    """A run over the whole set: (outcome, message) by file, all that was said, and the folder as it was left."""

    results: dict[str, tuple[str, str]]
    said: str
    folder: Path


@pytest.fixture(scope="module")
def run(shop):
    """The whole set, run once."""
    address, place = shop
    folder = shutil.copytree(SET, place / "set")
    ended = run_pytest(
        folder, *sorted(FILES), "--continue-on-collection-errors", "--junitxml=junit.xml", "-rA", "--strict-markers",
        "-o", "junit_logging=all", "-o", "junit_log_passing_tests=true", "--anomod-var-file=variables.yaml",
        f"--anomod-base=http://shop.example={address}",
    )  # fmt: skip
    results = {}
    for case in xml.etree.ElementTree.parse(folder / "junit.xml").iter("testcase"):
        found = [(child.tag, child.get("message", "") + (child.text or "")) for child in case]
        found = [(tag, text) for tag, text in found if tag in ("failure", "error", "skipped")]
        file = (case.get("classname") or case.get("name") or "").removesuffix(".py")
        tag, text = found[0] if found else ("passed", "")
        results[file] = ({"failure": "failed"}.get(tag, tag), text)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    return Run(results, ended.stdout + ended.stderr + (folder / "junit.xml").read_text(), folder)


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_file_comes_to_what_is_expected(run, file):
    """By outcome and words; never by a traceback."""
    outcome, message = run.results[file]
    assert (outcome, FILES[file].words in message) == (FILES[file].outcome, True), message
    assert "Traceback" not in message


def test_every_file_of_the_set_is_expected():
    """None is forgotten."""
    assert {path.name for path in SET.iterdir() if path.suffix in (".json", ".yaml")} == set(FILES)


def test_chaos_run_says_the_same_but_where_it_is_said(shop, run, tmp_path):
    """Exit codes of `chaos run` over the set: what passes there passes here, what deviates there fails here."""
    address, _ = shop
    folder = shutil.copytree(SET, Shop.state / "chaos")
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("http://shop.example", address))
    argv = [sys.executable, str(Path(__file__).with_name("chaos_runs.py")), str(folder), str(tmp_path / "out.json")]
    subprocess.run([*argv, str(folder / "variables.yaml"), *sorted(FILES)], env=environment(tmp_path), check=True)
    theirs = json.loads((tmp_path / "out.json").read_text())
    assert {file for file, found in theirs.items() if found["deviated"]} == {
        "deviates.yaml", "published_certificate.yaml", "published_language_switched.json",
    }  # fmt: skip
    differ = {file for file, found in theirs.items() if (found["code"] == 0) != (run.results[file][0] == "passed")}
    assert differ == {file for file, expected in FILES.items() if expected.stricter}


def test_secrets_are_nowhere_in_what_is_left(run):
    """Not in reports, not in what was written by what got them, not in files of ours."""
    assert "[redacted]" in run.said
    for text in (SECRET, "tulip-literal-4711"):
        assert text not in run.said
        kept = [
            path
            for path in run.folder.parent.rglob("*")
            if path.is_file() and text in path.read_text("utf-8", "replace")
        ]
        assert [path.name for path in kept if path.name != "secrets.yaml"] == []


def test_rollbacks_are_played_whatever_happened(run):
    """After an end in the middle, against the strategy `never`, and after one that failed; each once."""
    for left in ("exits-rolled-back.txt", "strategies-rolled-back.txt", "next-rollback.txt", "deviates.txt"):
        assert (run.folder / left).exists(), left
    assert (run.folder / "ref-count.txt").read_text().splitlines() == ["once"] * 3


def test_collection_and_check_run_nothing(tmp_path):
    """No module is imported, no tag is obeyed, no process is started."""
    folder = shutil.copytree(SET, tmp_path / "set")
    before = sorted(path.name for path in folder.iterdir())
    ended = run_pytest(folder, "--collect-only", "-q", *sorted(FILES))
    assert "holds.json::A file stays where it is" in ended.stdout
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before

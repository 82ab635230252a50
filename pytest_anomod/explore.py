"""`anomod explore SYSTEM`: brings a system up, looks for requests that reach new lines, and writes them as a suite."""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.system import System
from pytest_anomod.workloads.guided import Explorer, Kept
from pytest_anomod.workloads.openapi_document import USUAL_PATHS, Operation, operations, parse_document, read_document
from pytest_anomod.workloads.script import Step

Say = Callable[[str], None]
TELL_EVERY_S = 10.0
JOURNEYS_S, SUITE_S = 6.0, 120.0
"""So long the system's own journeys are played, whose requests are seeds, and a suite at most."""
_ASK_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.2


def add_to(commands: Any, say: Say, runtime_name: Callable[[str, System], str]) -> None:
    """Add the subcommand; `runtime_name` says which runtime `auto` is for a system."""
    parser = commands.add_parser(
        "explore", help="find requests that reach new lines of a system's services, and write them as a test suite"
    )
    parser.add_argument("system", help="its name: ours, or one that conftest.py here defines")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=40.0, metavar="RPS", help="most requests a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: %(default)s)")
    parser.add_argument("--runtime", default="auto", metavar="NAME", help="what brings it up (default: %(default)s)")
    parser.add_argument(
        "--document", type=Path, metavar="FILE", help="OpenAPI document; default: the one that its entry serves, if any"
    )
    parser.add_argument(
        "--from", dest="seeds", action="append", default=[], metavar="SEED",
        help="requests to begin with: journeys (the system's own), suite:PATH (a Python suite, played once), har:FILE, "
        "postman:FILE, or a file of recorded requests, one JSON object a line; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--deletions", action="store_true", help="also send requests that delete")
    parser.add_argument("--out", type=Path, default=Path("explored"), help="folder of the suite (default: %(default)s)")
    parser.set_defaults(run=lambda arguments: _run(arguments, say, runtime_name))


def _run(arguments: argparse.Namespace, say: Say, runtime_name: Callable[[str, System], str]) -> int:
    """Bring the system up, explore, write the suite, take it down; 0 when something was kept."""
    from pytest_anomod.safety import sessions

    system = catalog.find("systems", arguments.system)
    for given in arguments.seeds:
        _check_seed(given, system)
    if arguments.document is not None:
        read_document(arguments.document)
    runtime = catalog.find("runtimes", runtime_name(arguments.runtime, system))
    session = sessions.new_session(Path.cwd(), f"explore-{uuid.uuid4().hex[:6]}", "main")
    try:
        deployment = runtime.up(system, session, seed=arguments.seed)
        try:
            kept = explore(system, deployment, arguments, say)
        finally:
            runtime.down(deployment)
    finally:
        for line in sessions.end_session(session):
            say(line)
    return 0 if kept else 1


def explore(system: System, deployment: Deployment, arguments: argparse.Namespace, say: Say) -> list[Kept]:
    """Explore a system that is up, telling how it goes, and write the suite; what was kept."""
    from pytest_anomod.workloads.guided_ask import Sender
    from pytest_anomod.workloads.guided_lines import Meter
    from pytest_anomod.workloads.guided_suite import write_suite

    login = system.login(deployment.entry_url) if system.login is not None else {}
    known = operations(_document(arguments.document, deployment.entry_url))
    meter = Meter(deployment)
    for remark in meter.remarks():
        say(remark)
    seeds = [step for given in arguments.seeds for step in _seeds(given, system, deployment, known, arguments, say)]
    meter.all_lines()  # what playing seeds ran is nobody's: each seed is sent again
    sender = Sender(deployment.entry_url, login)
    explorer = Explorer(
        known, ask=sender, lines=meter, random=Random(arguments.seed), seeds=seeds, login=login,
        deletions=arguments.deletions,
    )  # fmt: skip
    say(f"{len(known)} operations, {len(seeds)} seeds; at most {arguments.rate:g} requests a second")
    try:
        explorer.run(arguments.seconds, arguments.rate, every=(TELL_EVERY_S, lambda: say(_progress(explorer, meter))))
    finally:
        meter.close()
        sender.close()
    say(_progress(explorer, meter))
    if seeds:
        say(f"{len(explorer.outcomes - explorer.seeded)} outcomes (operation, status, envelope) that no seed had")
    path = arguments.out / f"test_{system.name}_explored.py"
    tests = write_suite(path, explorer.kept, system=system.name, base="http://localhost:8080", login=login)
    say(f"{tests} requests kept: pytest --anomod-suite {path}")
    others = arguments.out / f"test_{system.name}_explored_changes.py"
    tests = write_suite(
        others, explorer.kept, system=system.name, base="http://localhost:8080", login=login, changes=True
    )
    say(f"{tests} that update or delete, which may spoil what others need: {others}")
    return explorer.kept


def _progress(explorer: Explorer, meter: Any) -> str:
    seconds, lines, _ = explorer.progress[-1] if explorer.progress else (0.0, 0, 0)
    known = meter.ground.total
    return f"{seconds:6.1f} s  {explorer.requests:6} requests  {lines:5} of {known} lines  {len(explorer.kept):5} kept"


def _document(file: Path | None, entry_url: str) -> dict[str, Any]:
    """The document of a file, or of the system itself; ScenarioError when there is none."""
    if file is not None:
        return read_document(file)
    import requests

    for path in USUAL_PATHS:
        try:
            answer = requests.get(entry_url + path, timeout=_ASK_TIMEOUT_S)
        except requests.RequestException:
            continue
        if answer.ok:
            return parse_document(answer.text, entry_url + path)
    msg = f"{entry_url} serves no OpenAPI document at {', '.join(USUAL_PATHS)}: name one with --document FILE"
    raise ScenarioError(msg)


def _check_seed(given: str, system: System) -> None:
    """ScenarioError for seeds that can't be read, before anything is brought up."""
    kind, _, file = given.partition(":")
    if given != "journeys" and not (kind in ("suite", "har", "postman") and file) and not Path(given).is_file():
        msg = f"--from {given}: is neither journeys, suite:PATH, har:FILE, postman:FILE nor a file of recorded requests"
        raise ScenarioError(msg)
    if kind == "suite" and file:
        from pytest_anomod.workloads import suite

        try:
            suite.prepare(Path(file), once=True, system=system)
        except ScenarioError as error:
            raise ScenarioError(str(error).replace("--anomod-suite ", "--from suite:", 1)) from error
    elif kind in ("har", "postman") and file:
        from pytest_anomod.workloads.scripted import read_scripts

        read_scripts(kind, Path(file), deletions=True)


def _seeds(
    given: str,
    system: System,
    deployment: Deployment,
    known: Sequence[Operation],
    arguments: argparse.Namespace,
    say: Say,
) -> list[Step]:
    """The requests of one --from; of a file what can't be sent is told."""
    from pytest_anomod.workloads import open_loop, suite
    from pytest_anomod.workloads.guided_seeds import recorded_steps

    kind, _, file = given.partition(":")
    if given == "journeys":
        return recorded_steps(_played(open_loop, {}, JOURNEYS_S, system, deployment, arguments), known)
    if file and kind == "suite":
        spec = {**suite.prepare(Path(file), once=True, system=system).spec(), "rate_rps": arguments.rate}
        return recorded_steps(_played(suite, spec, SUITE_S, system, deployment, arguments), known)
    if file and kind in ("har", "postman"):
        from pytest_anomod.workloads.scripted import read_scripts

        scripts, left_out = read_scripts(kind, Path(file), deletions=arguments.deletions)
        for remark in left_out:
            say(f"{given}: left out: {remark}")
        return recorded_steps([step for script in scripts for step in script.steps], known)
    lines = Path(given).read_text(encoding="utf-8").splitlines()
    return recorded_steps([json.loads(line) for line in lines if line.strip()], known)


def _played(
    workload: Any,
    spec: dict[str, Any],
    seconds: float,
    system: System,
    deployment: Deployment,
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """What a workload sends in some seconds, or until it ends by itself, as recorded."""
    from pytest_anomod.model import clock

    records = Path(deployment.directory, f"explore-{uuid.uuid4().hex[:6]}.jsonl")
    asked = {
        "system": system.name, "entry_url": deployment.entry_url, "urls": dict(deployment.urls),
        "seed": arguments.seed, "deadline_s": seconds, **spec,
    }  # fmt: skip
    handle = workload.start(asked, records)
    until = clock.monotonic_s() + seconds
    while clock.monotonic_s() < until and workload.is_running(handle):
        clock.sleep(_LOOK_EVERY_S)
    workload.stop(handle)
    return [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]

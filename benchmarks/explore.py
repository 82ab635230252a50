"""Lines covered over time: explored traffic beside schemathesis, a generated suite and a system's own journeys.

    python benchmarks/explore.py --suites DIR [social_network train_ticket] [--seconds 120] [--rate 40] [--out DIR]

Each generator gets a deployment of its own and a login, one after the other, for the same time at the same rate. DIR
has a folder of Python tests for each system, such as EvoMaster writes. Exploring has the OpenAPI document and the login
alone. What each came to is kept in --out, so `--only explore` measures one again and prints it beside the others' last
results; `--draw` measures nothing. Prints lines over time, outcomes (operation, status, status in the envelope) that no
other generator had, what anybody covered, what only failures of peers reach, and whether a ticket was booked.

A line counts if it is in a service's own module and did not run at start, before the first request: what imports and
start-up run is the same for all. Needs schemathesis 4.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests

import pytest_anomod.replicas
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.system import System
from pytest_anomod.safety import sessions
from pytest_anomod.workloads import open_loop, suite
from pytest_anomod.workloads.guided import Explorer, Kept, envelope_status
from pytest_anomod.workloads.guided_ask import Sender
from pytest_anomod.workloads.guided_lines import Meter
from pytest_anomod.workloads.guided_suite import write_suite
from pytest_anomod.workloads.openapi_document import Operation, operations, parse_document
from pytest_anomod.workloads.script import read_json

LOOK_EVERY_S = 2.0
ENOUGH = 1.5
FAILED_CALLS = {
    "MongoError", "StoreError", "MemcachedError", "PEER_ERRORS", "TransportError", "RemoteError", "OSError",
    "TimeoutError",
}  # fmt: skip
"""What the replicas raise when a peer or a store fails."""
Curve = list[tuple[float, int]]
Outcomes = set[tuple[str, int, str]]
UTILS = """def is_valid_uri_or_empty(uri):
    return True


def resolve_location(location, template):
    return location or template
"""


@dataclasses.dataclass(kw_only=True)
class Result:
    """What a generator came to: (seconds, lines), outcomes that it saw, covered lines, and all lines with functions."""

    name: str
    curve: list[list[float]]
    outcomes: list[list[Any]]
    requests: int
    covered: list[list[Any]]
    functions: list[list[Any]]
    load: float
    error: str = ""
    booked: list[str] = dataclasses.field(default_factory=list)
    ways: dict[str, list[int]] = dataclasses.field(default_factory=dict)


class Run:
    """One generator on one deployment: lines over time, and the outcomes that it saw."""

    def __init__(self, name: str, deployment: Deployment) -> None:
        self.name, self.deployment = name, deployment
        self.meter = Meter(deployment)
        self.curve: Curve = []
        self.outcomes: Outcomes = set()
        self.requests = 0
        self.error = ""
        self.booked: list[str] = []
        self.ways: dict[str, list[int]] = {}

    def watch(self, seconds: float) -> None:
        """Look at all lines again and again."""
        begun = clock.monotonic_s()
        while (now := clock.monotonic_s() - begun) < seconds:
            self.meter.ground.cover(self.meter.all_lines())
            self.curve.append((now, len(self.meter.ground.covered)))
            clock.sleep(LOOK_EVERY_S)
        self.meter.ground.cover(self.meter.all_lines())
        self.curve.append((clock.monotonic_s() - begun, len(self.meter.ground.covered)))

    def read(self, records: Path, known: list[Operation]) -> None:
        """Count the requests that a workload recorded, and their outcomes."""
        for line in records.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            self.requests += 1
            body = row["response_body"].encode()
            self.outcomes.add(outcome(known, row["method"], row["url"], row["status_code"], body))

    def result(self) -> Result:
        """All of it, as it is kept."""
        return Result(
            name=self.name, curve=[list(one) for one in self.curve], outcomes=sorted(map(list, self.outcomes)),
            requests=self.requests, covered=sorted(map(list, self.meter.ground.covered)), error=self.error,
            functions=[[*line, one[2]] for line, one in self.meter.ground.functions.items()],
            load=round(os.getloadavg()[0], 1), booked=self.booked, ways=self.ways,
        )  # fmt: skip


def main() -> int:
    """Measure, print, draw; 1 for no ticket booked, or less than 1.5 times another's lines where so many can be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", default=["social_network", "train_ticket"], metavar="SYSTEM")
    parser.add_argument("--suites", type=Path, required=True, help="folder with a folder of tests for each system")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=40.0, help="requests (of the suite: tests) a second")
    parser.add_argument("--only", nargs="*", choices=list(GENERATORS), help="these generators; default: all")
    parser.add_argument("--draw", action="store_true", help="measure nothing, print and draw what --out has")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("explored"), help="picture, figures and suites (%(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.systems if not arguments.draw else ():
        for generator in arguments.only or GENERATORS:
            measure(catalog.find("systems", name), generator, arguments)
    found = {name: kept_results(arguments.out / name) for name in arguments.systems}
    enough = [report(name, results, arguments) for name, results in found.items() if "explore" in results]
    draw(found, arguments.out / "lines.png")
    print(f"picture: {arguments.out / 'lines.png'}")
    return 0 if enough and all(enough) else 1


def measure(system: System, name: str, arguments: argparse.Namespace) -> None:
    """One generator on a deployment of its own; what it came to is written."""
    runtime = catalog.find("runtimes", "process")
    session = sessions.new_session(arguments.out.absolute(), "explore", "main")
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        stack.callback(lambda: sessions.end_session(session))
        deployment = runtime.up(system, session, seed=arguments.seed)
        stack.callback(runtime.down, deployment)
        run = Run(name, deployment)
        document = requests.get(f"{deployment.entry_url}/openapi.json", timeout=60).text
        run.meter.ground.cover(run.meter.all_lines())
        try:
            GENERATORS[name](run, system, operations(parse_document(document, "openapi")), Path(scratch), arguments)
        except Exception as error:  # what others came to must still be told, whatever one of them failed with
            run.error = f"{type(error).__name__}: {error}"
        path = arguments.out / system.name / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(run.result())), encoding="utf-8")
        print(f"{system.name}: {name}: {len(run.meter.ground.covered)} lines, {run.requests} requests {run.error}")


def kept_results(folder: Path) -> dict[str, Result]:
    """The last results of all generators."""
    files = {name: folder / f"{name}.json" for name in GENERATORS}
    return {
        name: Result(**json.loads(file.read_text(encoding="utf-8"))) for name, file in files.items() if file.exists()
    }


def explore(run: Run, system: System, known: list[Operation], scratch: Path, arguments: argparse.Namespace) -> None:
    """Traffic that coverage guides, from the document and a login alone."""
    assert system.login is not None
    login = system.login(run.deployment.entry_url)
    explorer = Explorer(
        known, ask=Sender(run.deployment.entry_url, login), lines=run.meter, random=Random(arguments.seed),
        login=login, deletions=True,
    )  # fmt: skip
    explorer.run(arguments.seconds, arguments.rate)
    run.curve = [(at_s, lines) for at_s, lines, _ in explorer.progress]
    run.requests = explorer.requests
    run.outcomes = explorer.outcomes
    run.ways = explorer.changes.ways
    run.booked = booked_orders(run.deployment.entry_url, login, explorer.kept) if "ticket" in system.name else []
    place = arguments.out / system.name / "test_explored.py"
    tests = write_suite(place, explorer.kept, system=system.name, base="http://localhost:8080", login=login)
    print(f"{system.name}: {tests} requests kept, written to {place}")


def fuzzed(run: Run, system: System, known: list[Operation], scratch: Path, arguments: argparse.Namespace) -> None:
    """Schemathesis as long as the others, again with another seed when it thinks it is done."""
    assert system.login is not None
    url = run.deployment.entry_url
    headers = [part for item in system.login(url).items() for part in ("-H", f"{item[0]}: {item[1]}")]
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or "schemathesis"
    watcher = threading.Thread(target=run.watch, args=(arguments.seconds,))
    watcher.start()
    until, seed = clock.monotonic_s() + arguments.seconds, arguments.seed
    while (left := until - clock.monotonic_s()) > 2:
        har = scratch / f"{system.name}-{seed}.har"
        command = [
            program, "run", f"{url}/openapi.json", "--seed", str(seed), "--max-time", str(int(left)),
            "--rate-limit", f"{int(arguments.rate)}/s", "--phases", "examples,coverage,fuzzing,stateful",
            "--checks", "not_a_server_error", "--continue-on-failure", "--no-shrink", "--report", "har",
            "--report-har-path", str(har), *headers,
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, timeout=left + 60, cwd=scratch)
        for entry in json.loads(har.read_text(encoding="utf-8"))["log"]["entries"] if har.exists() else ():
            run.requests += 1
            body = (entry["response"]["content"].get("text") or "").encode()
            run.outcomes.add(outcome(known, entry["request"]["method"], entry["request"]["url"],
                                     entry["response"]["status"], body))  # fmt: skip
        seed += 1
    watcher.join()


def generated(run: Run, system: System, known: list[Operation], scratch: Path, arguments: argparse.Namespace) -> None:
    """The generated suite, over and over."""
    folder = scratch / system.name
    shutil.copytree(arguments.suites / system.name, folder)
    if not (folder / "em_test_utils.py").exists():
        (folder / "em_test_utils.py").write_text(UTILS, encoding="utf-8")
    workload = suite.prepare(folder, system=system)
    records = scratch / f"{system.name}.jsonl"
    spec = {
        "system": system.name, **workload.spec(), "rate_rps": arguments.rate, "seed": arguments.seed,
        "deadline_s": arguments.seconds, "entry_url": run.deployment.entry_url, "urls": dict(run.deployment.urls),
    }  # fmt: skip
    handle = suite.start(spec, records)
    run.watch(arguments.seconds)
    suite.stop(handle)
    run.read(records, known)


def journeys(run: Run, system: System, known: list[Operation], scratch: Path, arguments: argparse.Namespace) -> None:
    """The system's own journeys at their own rate: what a person wrote who knows the system."""
    records = scratch / "journeys.jsonl"
    spec = {
        "system": system.name, "seed": arguments.seed, "deadline_s": arguments.seconds,
        "entry_url": run.deployment.entry_url, "urls": dict(run.deployment.urls),
    }  # fmt: skip
    handle = open_loop.start(spec, records)
    run.watch(arguments.seconds)
    open_loop.stop(handle)
    run.read(records, known)


def booked_orders(entry: str, login: Mapping[str, str], kept: list[Kept]) -> list[str]:
    """The orders in TrainTicket's store that bookings which were answered with success have made, by their ids."""
    orders: list[dict[str, Any]] = []
    for service in ("orderservice/order", "orderOtherService/orderOther"):
        answer = requests.get(f"{entry}/api/v1/{service}", headers=dict(login), timeout=30).json()
        orders += answer.get("data") or []
    same = {"accountId": "accountId", "tripId": "trainNumber", "from": "from", "to": "to", "date": "travelDate"}
    wishes = [
        one.step.body for one in kept
        if one.step.route.endswith(("/preserve", "/preserveOther")) and one.envelope == "status=1"
    ]  # fmt: skip
    return [
        order["id"] for order in orders
        if any(all(wish.get(mine) == order[theirs] for mine, theirs in same.items()) for wish in wishes)
    ]  # fmt: skip


GENERATORS: dict[str, Callable[..., None]] = {
    "explore": explore,
    "schemathesis": fuzzed,
    "suite": generated,
    "journeys": journeys,
}


def outcome(known: list[Operation], method: str, url: str, status: int, body: bytes) -> tuple[str, int, str]:
    """What exploring calls a new outcome, of another's request."""
    path = urlsplit(url).path
    name = next((one.name for one in known if one.matches(method, path)), f"{method} {path}")
    return name, status, envelope_status(read_json(body))


def report(system: str, results: Mapping[str, Result], arguments: argparse.Namespace) -> bool:
    """Lines over time as a table, what exploring alone found, what there is; whether exploring did enough."""
    lines = {name: {(str(a), str(b), int(c)) for a, b, c in one.covered} for name, one in results.items()}
    known = {(str(a), str(b), int(c)): str(d) for one in results.values() for a, b, c, d in one.functions}
    print(f"\n{system}: lines covered of {len(known):,} that do not run at start")
    marks = [arguments.seconds * part / 12 for part in range(1, 13)]
    print(f"{'seconds':>14}" + "".join(f"{mark:>7.0f}" for mark in marks) + f"{'requests':>10}{'load':>6}")
    for name, one in results.items():
        shown = [max((lines for at_s, lines in one.curve if at_s <= mark), default=0) for mark in marks]
        row = "".join(f"{count:>7.0f}" for count in shown)
        print(f"{name:>14}{row}{one.requests:>10}{one.load:>6}  {one.error}")
    mine = lines["explore"]
    ratios = []
    for name in others(results):
        ratios.append(len(mine) / max(1, len(lines[name])))
        print(f"  explore covers {ratios[-1]:.2f} times what {name} does; {len(lines[name] - mine)} lines are {name}'s"
              f" alone, {len(mine - lines[name])} explore's")  # fmt: skip
    everybody = set().union(*lines.values())
    failing = {line for line in set(known) - everybody if line[2] in handlers_of_failures(line[1])}
    most = max((len(lines[name]) for name in others(results)), default=len(mine))
    reachable = len(known) - len(failing)
    print(f"  covered by anybody: {len(everybody)}; only failing peers and stores reach {len(failing)} more; the other"
          f" {reachable} are {reachable / most:.2f} times what the best of the others covers")  # fmt: skip
    tell_left(known, everybody | failing)
    if results["explore"].ways:
        ways = (f"{way} {gained}/{tries}" for way, (gained, tries) in results["explore"].ways.items())
        print(f"  lines gained by way of changing, of tries: {', '.join(ways)}")
    tell_alone(results)
    booked, has_tickets = results["explore"].booked, "ticket" in system
    if has_tickets:
        print(f"  orders in the store that exploring booked: {len(booked)}, such as {', '.join(booked[:2]) or 'none'}")
    covers_enough = min(ratios, default=0.0) >= ENOUGH or reachable / most < ENOUGH
    return covers_enough and bool(booked or not has_tickets)


def others(results: Mapping[str, Result]) -> Iterator[str]:
    """The generators that exploring is held against; journeys were written by who knows the system."""
    return (name for name, one in results.items() if name not in ("explore", "journeys") and not one.error)


def tell_left(known: Mapping[tuple[str, str, int], str], reached: set[tuple[str, str, int]]) -> None:
    """What nobody covered and no failure would reach, by function."""
    left = collections.Counter((line[0], known[line]) for line in set(known) - reached)
    shown = (f"{service} {function} {count}" for (service, function), count in left.most_common(25))
    print(f"  covered by nobody, in {len(left)} functions: {', '.join(shown)}")


def tell_alone(results: Mapping[str, Result]) -> None:
    """The outcomes that exploring found and no other generator."""
    seen = {tuple(one) for name in results if name != "explore" for one in results[name].outcomes}
    alone = sorted(tuple(one) for one in results["explore"].outcomes if tuple(one) not in seen)
    print(f"  {len(alone)} outcomes that neither the other generators nor the journeys had:")
    for name, status, envelope in alone:
        print(f"    {status} {envelope or '-':12} {name}")


def handlers_of_failures(file: str) -> set[int]:
    """The lines of a replica's module that run only when a call of a peer or a store fails."""
    if file not in _handlers:
        path = Path(pytest_anomod.replicas.__path__[0], file)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        _handlers[file] = {
            line
            for node in ast.walk(tree)
            if isinstance(node, ast.ExceptHandler) and node.type is not None
            and {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)} & FAILED_CALLS
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }  # fmt: skip
    return _handlers[file]


_handlers: dict[str, set[int]] = {}


def draw(found: Mapping[str, Mapping[str, Result]], path: Path) -> None:
    """Lines over time of all generators, a panel for each system."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(6 * len(found), 4), squeeze=False)
    for panel, (system, results) in zip(panels[0], found.items(), strict=True):
        for name, one in results.items():
            panel.plot([at_s for at_s, _ in one.curve], [lines for _, lines in one.curve], label=name)
        panel.set(title=system, xlabel="seconds", ylabel="lines covered since start", ylim=(0, None))
        panel.legend(frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())

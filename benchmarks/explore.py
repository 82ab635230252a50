"""Lines covered over time: explored traffic beside schemathesis and a generated suite, same time, same rate.

    python benchmarks/explore.py --suites DIR [social_network train_ticket] [--seconds 120] [--rate 40] [--out DIR]

Each generator gets a deployment of its own and a login, all three at the same time. DIR has a folder of Python tests
for each system, such as EvoMaster writes. Prints lines over time, what exploring found that neither other had, and
whether a ticket was booked; draws lines over time. Lines that ran at start are left out. Needs schemathesis 4.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
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

from pytest_anomod.model import catalog, clock
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.system import System
from pytest_anomod.safety import sessions
from pytest_anomod.workloads import suite
from pytest_anomod.workloads.guided import Explorer, envelope_status
from pytest_anomod.workloads.guided_ask import Sender
from pytest_anomod.workloads.guided_lines import Meter
from pytest_anomod.workloads.guided_suite import write_suite
from pytest_anomod.workloads.openapi_document import Operation, operations, parse_document
from pytest_anomod.workloads.script import read_json

LOOK_EVERY_S = 2.0
Curve = list[tuple[float, int]]
Outcomes = set[tuple[str, int, str]]
UTILS = """def is_valid_uri_or_empty(uri):
    return True


def resolve_location(location, template):
    return location or template
"""


class Run:
    """One generator on one deployment: lines over time, and the outcomes that it saw."""

    def __init__(self, name: str, deployment: Deployment) -> None:
        self.name, self.deployment = name, deployment
        self.meter = Meter(deployment)
        self.curve: Curve = []
        self.outcomes: Outcomes = set()
        self.requests = 0
        self.error = ""

    def watch(self, seconds: float) -> None:
        """Look at all lines again and again."""
        begun = clock.monotonic_s()
        while (now := clock.monotonic_s() - begun) < seconds:
            self.meter.ground.cover(self.meter.all_lines())
            self.curve.append((now, len(self.meter.ground.covered)))
            clock.sleep(LOOK_EVERY_S)
        self.meter.ground.cover(self.meter.all_lines())
        self.curve.append((clock.monotonic_s() - begun, len(self.meter.ground.covered)))


def main() -> int:
    """Measure, print, draw; 1 when exploring covers less than 1.5 times what another did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", default=["social_network", "train_ticket"], metavar="SYSTEM")
    parser.add_argument("--suites", type=Path, required=True, help="folder with a folder of tests for each system")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=40.0, help="requests (of the suite: tests) a second")
    parser.add_argument("--only", nargs="*", choices=list(GENERATORS), help="these generators; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("explored"), help="picture, figures and suites (%(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = {name: compare(catalog.find("systems", name), arguments) for name in arguments.systems}
    draw(found, arguments.out / "lines.png")
    print(f"picture: {arguments.out / 'lines.png'}")
    ratios = [runs["explore"].curve[-1][1] / run.curve[-1][1] for runs in found.values() for run in others(runs)]
    return 0 if min(ratios, default=0.0) >= 1.5 else 1


def others(runs: Mapping[str, Run]) -> Iterator[Run]:
    """The generators that exploring is held against."""
    return (run for name, run in runs.items() if name != "explore" and not run.error)


def compare(system: System, arguments: argparse.Namespace) -> dict[str, Run]:
    """All generators at the same time, each on its own deployment."""
    runtime = catalog.find("runtimes", "process")
    session = sessions.new_session(arguments.out.absolute(), "explore", "main")
    runs: dict[str, Run] = {}
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        stack.callback(lambda: sessions.end_session(session))
        for name in arguments.only or GENERATORS:
            deployment = runtime.up(system, session, seed=arguments.seed)
            stack.callback(runtime.down, deployment)
            runs[name] = Run(name, deployment)
        document = requests.get(f"{runs['explore'].deployment.entry_url}/openapi.json", timeout=60).text
        known = operations(parse_document(document, "openapi"))
        threads = [
            threading.Thread(target=_guarded, args=(GENERATORS[name], run, system, known, Path(scratch), arguments))
            for name, run in runs.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    report(system, runs, arguments.seconds)
    return runs


def _guarded(play: Callable[..., None], run: Run, *arguments: Any) -> None:
    try:
        play(run, *arguments)
    except Exception as error:  # a thread's failure must be seen, whatever it is
        run.error = f"{type(error).__name__}: {error}"
        raise


def explore(run: Run, system: System, known: list[Operation], scratch: Path, arguments: argparse.Namespace) -> None:
    """Traffic that coverage guides, from the document and a login alone."""
    assert system.login is not None
    login = system.login(run.deployment.entry_url)
    explorer = Explorer(
        known, ask=Sender(run.deployment.entry_url, login), lines=run.meter, random=Random(arguments.seed),
        deletions=True,
    )  # fmt: skip
    explorer.run(arguments.seconds, arguments.rate)
    run.curve = [(at_s, lines) for at_s, lines, _ in explorer.progress]
    run.requests = explorer.requests
    run.outcomes = explorer.outcomes
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
    for line in records.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        run.requests += 1
        run.outcomes.add(outcome(known, row["method"], row["url"], row["status_code"], row["response_body"].encode()))


GENERATORS: dict[str, Callable[..., None]] = {"explore": explore, "schemathesis": fuzzed, "suite": generated}


def outcome(known: list[Operation], method: str, url: str, status: int, body: bytes) -> tuple[str, int, str]:
    """What exploring calls a new outcome, of another's request."""
    path = urlsplit(url).path
    name = next((one.name for one in known if one.matches(method, path)), f"{method} {path}")
    return name, status, envelope_status(read_json(body))


def report(system: System, runs: Mapping[str, Run], seconds: float) -> None:
    """Lines over time as a table, and what exploring alone found."""
    total = max(run.meter.ground.total for run in runs.values())
    print(f"\n{system.name}: lines covered of {total:,} that do not run at start")
    marks = [seconds * part / 12 for part in range(1, 13)]
    print("".join(f"{text:>14}" for text in ("seconds", *(f"{mark:.0f}" for mark in marks), "requests")))
    for name, run in runs.items():
        shown = [max((lines for at_s, lines in run.curve if at_s <= mark), default=0) for mark in marks]
        print(f"{name:>14}" + "".join(f"{lines:>14}" for lines in shown) + f"{run.requests:>14}  {run.error}")
    for run in others(runs):
        if not run.curve:
            continue
        ratio = runs["explore"].curve[-1][1] / max(1, run.curve[-1][1])
        both = runs["explore"].meter.ground.covered
        print(f"  explore covers {ratio:.2f} times what {run.name} does; {len(run.meter.ground.covered - both)} lines"
              f" are {run.name}'s alone, {len(both - run.meter.ground.covered)} explore's")  # fmt: skip
    alone = sorted(runs["explore"].outcomes.difference(*(run.outcomes for run in others(runs))))
    print(f"  {len(alone)} outcomes that only exploring found:")
    for name, status, envelope in alone:
        print(f"    {status} {envelope or '-':12} {name}")
    booked = [one for one in runs["explore"].outcomes if "/preserve" in one[0] and one[2] == "status=1"]
    left = runs["explore"].meter.ground.left
    by_service = collections.Counter({service: 0 for service, _, _ in left})
    for (service, _, _), lines in left.items():
        by_service[service] += len(lines)
    print("  lines left, by service: " + ", ".join(f"{name} {count}" for name, count in by_service.most_common(12)))
    functions = sorted(((len(lines), name) for (_, _, name), lines in left.items()), reverse=True)
    print("  and by function: " + ", ".join(f"{name} {count}" for count, name in functions[:25]))
    if system.name == "train_ticket":
        print(f"  tickets booked by: {', '.join(name for name, _, _ in booked) or 'nobody'}")


def draw(found: Mapping[str, Mapping[str, Run]], path: Path) -> None:
    """Lines over time of all generators, a panel for each system."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(6 * len(found), 4), squeeze=False)
    for panel, (system, runs) in zip(panels[0], found.items(), strict=True):
        for name, run in runs.items():
            panel.plot([at_s for at_s, _ in run.curve], [lines for _, lines in run.curve], label=name)
        panel.set(title=system, xlabel="seconds", ylabel="lines covered since start", ylim=(0, None))
        panel.legend(frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())

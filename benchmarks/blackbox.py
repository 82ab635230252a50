"""What a black-box generator finds in the replicas: schemathesis for a limited time, every 5xx compared with facts.

    python benchmarks/blackbox.py [social_network train_ticket] [--seconds 60] [--examples 20] [--seed 1]

Brings each system up, runs schemathesis on its /openapi.json as a user who is logged in (TrainTicket: and as an
administrator), prints requests by status, and fails for each 5xx that STATED does not know, and for each answer that
is not as the document has it. What a service says in its log why it failed counts too: an answer of the right shape
is not enough. Needs schemathesis 4 (tox run -e blackbox).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from pytest_anomod.model import clock

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
REMARK = re.compile(r"- (?:ST\d+ )?(Undocumented .*|Response violates schema|Missing Content-Type header|Malformed .*)")
"""What schemathesis says of an answer that is not as the document has it."""
OPERATION = re.compile(r"_+ ([A-Z]+ /\S*) _+")
UNDECLARED = re.compile(r"Received: 405")
"""Methods that the document does not have are asked, too."""


@dataclasses.dataclass(frozen=True)
class Stated:
    """A 5xx that the original gives: path and body as regular expressions, and where that is written."""

    path: str
    body: str
    source: str
    status: int = 500


_PAGE = r"<html>\r\n<head><title>500 Internal Server Error"
_SPRING = r'\{"timestamp":"[^"]+","status":500,"error":"Internal Server Error","message":"","path":"[^"]*"\}'
STATED: Mapping[str, tuple[Stated, ...]] = {
    "social_network": (
        Stated(
            "/(wrk2-)?api/user/(un)?follow", r"(Unf|F)ollow Failed: User: .* is not registered\n", "endpoints: follow"
        ),
        Stated("/api/user/login", r"User login failure: User: .* is not registered\n", "endpoints: login"),
        Stated("/api/user/login", r"User login failure: Incorrect username or password\n", "endpoints: login"),
        Stated("/(wrk2-)?api/post/compose", _PAGE, "endpoints: media_ids/media_types not valid JSON"),
        Stated(
            "/(wrk2-)?api/post/compose", r"compost_post failure: ZADD: no key specified\n",
            "behaviours: an author known to Mongo with an empty follower list",
        ),
        Stated(
            "/api/user/get_follow(er|ee)",
            r"Get user-timeline failure: (ZADD: no key specified|Cannot find user_id in MongoDB\.)\n",
            "endpoints: get_followee for a user unknown to Mongo; behaviours: the empty ZADD",
        ),
        Stated(
            "/(wrk2-)?api/(home|user)-timeline/read", r"Get (home|user)-timeline failure: Return set incomplete\n",
            "behaviours: ReadPosts, a post in neither store",
        ),
    ),
    "train_ticket": (
        Stated("/api/v1/.*", _SPRING, "behaviours: uncaught exception; a callee that answers 4xx or 5xx"),
        Stated("/api/v1/avatar.*", r'\{"timestamp".*"status":503.*\}', "services: avatar is not registered", 503),
    ),
}  # fmt: skip
"""Ours to the facts: `endpoints` and `behaviours` are what was read of the originals, see docs/workloads.md."""

CAUSES: Mapping[str, str] = {
    r"Invalid UUID string: ": "UUID.fromString",
    r"The given id must not be null!": "Spring Data: findById(null)",
    r"No class \S+ entity with id .* exists!": "Spring Data: deleteById of an unknown id",
    r"Missing URI template variable": "a path variable of another name",
    r"Character array is missing|For input string: |float\(\) argument|could not convert": "a text that is no number",
    r"'NoneType' object|NoneType|a date is missing|the travel date is missing|a consignment without": "null is used",
    r"Dict key must be str": "Jackson: null key of a map",
    r"list indices must be integers": "a bare list in place of an envelope",
    r"(list|string) index out of range": "ArrayIndexOutOfBounds, StringIndexOutOfBounds",
    r"empty range for randrange": "Random.nextInt(0)",
    r"StoreError: (value too long|.* violates|.* out of range)": "the database refuses the row",
    r"PeerFailure: [45]\d\d ": "a callee answered 4xx or 5xx",
}
"""Why a handler of TrainTicket may fail, by what its log says: each is an exception of the original, too."""


def main() -> int:
    """Run, print, and count what is stated nowhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help="; ".join(STATED))
    parser.add_argument("--seconds", type=int, default=60, help="for each run of schemathesis (%(default)s)")
    parser.add_argument("--examples", type=int, default=20, help="generated per operation (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator (%(default)s)")
    arguments = parser.parse_args()
    unstated = sum(examine(system, arguments) for system in arguments.systems or STATED)
    print(f"\n{unstated} kinds of 5xx that are stated nowhere, or of answers that no document has")
    return 1 if unstated else 0


def examine(system: str, arguments: argparse.Namespace) -> int:
    """Let schemathesis loose on one system; the number of its unstated kinds of 5xx."""
    found = 0
    with running(system) as (url, logs), tempfile.TemporaryDirectory() as scratch:
        document = requests.get(f"{url}/openapi.json", timeout=30).json()
        for who, headers in LOGINS[system](url).items():
            har = Path(scratch, f"{who}.har")
            found += report_remarks(who, generate(url, headers, har, arguments))
            entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"]
            found += report(f"{system} as {who}", system, document, entries)
        found += report_causes(logs) if system == "train_ticket" else 0
    return found


@contextlib.contextmanager
def running(system: str) -> Iterator[tuple[str, Path]]:
    """The system, up on a free port: its URL and the directory of its logs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pytest_anomod.cli", "up", system, "--runtime", "process", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        directory = ""
        for line in process.stdout:
            if line.startswith("logs, spans"):
                directory = line.split(maxsplit=2)[2].strip()
            if " is up at " in line:
                break
        else:
            sys.exit(f"{system} did not come up")
        yield f"http://127.0.0.1:{port}", Path(directory, "logs")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def social_network_logins(url: str) -> dict[str, dict[str, str]]:
    """A new user's login cookie."""
    account = {"first_name": "A", "last_name": "B", "username": "blackbox", "password": "blackbox-pw"}
    requests.post(f"{url}/wrk2-api/user/register", data={**account, "user_id": "99001"}, timeout=10)
    requests.post(f"{url}/wrk2-api/user/follow", data={"user_id": "99001", "followee_id": "1"}, timeout=10)
    requests.post(f"{url}/wrk2-api/user/follow", data={"user_id": "1", "followee_id": "99001"}, timeout=10)
    answer = requests.post(f"{url}/api/user/login", data=account, allow_redirects=False, timeout=10)
    return {"a user": {"Cookie": f"login_token={answer.cookies['login_token']}"}}


def train_ticket_logins(url: str) -> dict[str, dict[str, str]]:
    """The tokens of the seeded user and administrator."""
    headers = {}
    for who, name, password in (("a user", "fdse_microservice", "111111"), ("an administrator", "admin", "222222")):
        account = {"username": name, "password": password}
        answer = requests.post(f"{url}/api/v1/users/login", json=account, timeout=10)
        headers[who] = {"Authorization": f"Bearer {answer.json()['data']['token']}"}
    return headers


LOGINS = {"social_network": social_network_logins, "train_ticket": train_ticket_logins}


def generate(url: str, headers: Mapping[str, str], har: Path, arguments: argparse.Namespace) -> str:
    """One bounded run of schemathesis, which keeps the answers; what it said."""
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if program is None:
        sys.exit("schemathesis is not installed: pip install 'schemathesis>=4', or tox run -e blackbox")
    command = [
        program, "run", f"{url}/openapi.json", "--seed", str(arguments.seed), "--max-time", str(arguments.seconds),
        "--max-examples", str(arguments.examples), "--phases", "coverage,fuzzing", "--checks", CHECKS,
        "--continue-on-failure", "--no-shrink", "--request-timeout", "30", "--report", "har",
        "--report-har-path", str(har),
        *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.seconds * 3 + 120, cwd=har.parent)
    if not har.exists():
        sys.exit(f"schemathesis gave no report: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def report_remarks(who: str, said: str) -> int:
    """Print which answers are not as the document has them; how many kinds of them there are, by operation."""
    remarks: dict[str, list[str]] = {}
    operation = ""
    lines = [line.strip() for line in said.splitlines()]
    for number, line in enumerate(lines):
        if found := OPERATION.fullmatch(line):
            operation = found[1]
        elif (found := REMARK.fullmatch(line)) and not UNDECLARED.search(" ".join(lines[number : number + 4])):
            remarks.setdefault(found[1], []).append(f"{operation} ({' '.join(lines[number + 1 : number + 4]).strip()})")
    for kind, places in remarks.items():
        print(f"\nas {who}: {kind}: {len(places)}: {', '.join(places[:4])}{' ...' if len(places) > 4 else ''}")
    return sum(map(len, remarks.values()))


def report(title: str, system: str, document: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> int:
    """Print requests by status, 5xx by path and source; the number of kinds that nobody states."""
    templates = {re.compile(re.sub(r"\{\w+\}", "[^/]*", path) + r"\Z"): path for path in document["paths"]}
    statuses: collections.Counter[int] = collections.Counter()
    kinds: collections.Counter[tuple[str, ...]] = collections.Counter()
    asked: set[str] = set()
    for entry in entries:
        status, path = entry["response"]["status"], urlsplit(entry["request"]["url"]).path
        statuses[status] += 1
        template = next((name for pattern, name in templates.items() if pattern.match(path)), path)
        asked.add(template)
        if status >= 500 or status == 0:
            body = entry["response"]["content"].get("text") or ""
            kinds[template, str(status), source_of(system, status, path, body)] += 1
    by_status = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    print(f"\n{title}: {len(entries)} requests to {len(asked)} of {len(templates)} paths; {by_status}")
    by_source: dict[str, list[str]] = {}
    for (template, status, source), count in sorted(kinds.items()):
        by_source.setdefault(f"{status} {source}", []).append(f"{template} {count}")
    for source, places in by_source.items():
        print(f"  {source}: {len(places)} paths: {', '.join(places[:4])}{' ...' if len(places) > 4 else ''}")
    return sum(source.startswith("UNSTATED") for _, _, source in kinds)


def source_of(system: str, status: int, path: str, body: str) -> str:
    """Where a 5xx is stated; UNSTATED and the answer when it is not."""
    for stated in STATED[system]:
        if stated.status == status and re.fullmatch(stated.path, path) and re.match(stated.body, body, re.DOTALL):
            return stated.source
    return f"UNSTATED {body[:80]!r}"


def report_causes(logs: Path) -> int:
    """Print why handlers failed, by what their logs say; the number of causes that are no exception of the original."""
    clock.sleep(0.5)  # the last lines are on their way
    causes: collections.Counter[str] = collections.Counter()
    for file in logs.glob("ts-*.log"):
        for line in file.read_text(encoding="utf-8", errors="replace").split(
            "\n"
        ):  # texts may hold other ends of lines
            if "Request processing failed" in line:
                body = json.loads(line)["body"]
                known = next((cause for pattern, cause in CAUSES.items() if re.search(pattern, body, re.DOTALL)), None)
                causes[known or f"UNSTATED in {file.stem}: {body[:160]!r}"] += 1
    print("\nwhy handlers failed, by their logs:")
    for cause, count in causes.most_common():
        print(f"  {count:6} {cause}")
    return sum(cause.startswith("UNSTATED") for cause in causes)


if __name__ == "__main__":
    sys.exit(main())

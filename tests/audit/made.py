"""A small dataset without a leak, and leaks of each kind to put into its cases."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataset_builder as build
import pandas as pd

from pytest_anomod.dataset.write import write_index

Columns = dict[str, Any]
Edit = Callable[[str, Columns, "About"], None]
"""Changes a table's columns of a case with a fault; the table's name is given first."""

STORES = ("user-mongodb", "post-storage-mongodb", "social-graph-mongodb")
SERVICE, STORE = "text-service", "post-storage-mongodb"
FAULTS, CONTROLS = 6, 4


class About:
    """What an edit knows of a case: its target, and the phase of a moment."""

    def __init__(self, target: str, control: bool, start_ns: int) -> None:
        self.target = target
        self.timeline = build.case_timeline(control=control, start_ns=start_ns)

    def faulty(self, time_ns: int) -> bool:
        """Whether a fault is in, or is put in or taken out."""
        return str(self.timeline.phase_at(time_ns)) in ("onset", "anomaly", "release")


def dataset(out: Path, leak: Edit | None = None) -> Path:
    """Faults at a service and at a store by turns, and controls; the leak is put into every case with a fault."""
    for number in range(FAULTS + CONTROLS):
        control, start_ns = number >= FAULTS, build.START_NS + number * 3_600 * build.SECOND
        target = STORE if number % 2 else SERVICE
        about = About(target, control, start_ns)

        def edit(name: str, columns: Columns, about: About = about, number: int = number) -> None:
            _vary(name, columns, about, number)
            if leak is not None and number < FAULTS:
                leak(name, columns, about)

        fault = {} if control else {"target": target, "root_cause_service": target, "parameters": {"duty_ms": 20}}
        build.build_case(
            out, "control" if control else f"slow_{number}", case_id=f"20261122T{number:02d}25Z-aaaa",
            start_ns=start_ns, control=control, edit=edit, **fault,
        )  # fmt: skip
    write_index(out)
    return out


def add_column(out: Path, modality: str, column: str, tells: Callable[[pd.DataFrame, str], Any]) -> None:
    """Add a column that is worked out of a case's rows and its root cause ("" for a control)."""
    for path in out.glob(f"system=*/scenario=*/case=*/{modality}.parquet"):
        label = pd.read_parquet(path.with_name("label.parquet"), partitioning=None)
        frame = pd.read_parquet(path, partitioning=None)
        cause = label["root_cause_service"][0] or ""
        frame.assign(**{column: tells(frame, cause)}).to_parquet(path, index=False)


def _vary(name: str, columns: Columns, about: About, number: int) -> None:
    """Make a case differ from all others, as recorded ones do; give it stores that are called, and counters."""
    rng = random.Random(zlib.crc32(f"{name} {number}".encode()))
    if name == "logs":
        columns["body"] = [f"{body} in {rng.getrandbits(30)} us" for body in columns["body"]]
    if name == "traces":
        _call_stores(columns)
    if name in ("traces", "api_responses"):
        columns["duration_ns"] = [length + rng.randrange(2_000_000) for length in columns["duration_ns"]]
    if name == "metrics":
        columns.update(scrapes(about, rng))


def _call_stores(columns: Columns) -> None:
    """Two spans to each store below the span of every request at the text service."""
    rows = [row for row, service in enumerate(columns["service_name"]) if service == SERVICE]
    for row in rows:
        for place, store in enumerate(STORES):
            call = {name: values[row] for name, values in columns.items()}
            call |= {
                "span_id": f"{row:08x}{place:08x}", "parent_span_id": columns["span_id"][row], "span_kind": "CLIENT",
                "peer": store, "time_unix_nano": columns["time_unix_nano"][row] + 1_000, "span_name": "query",
            }  # fmt: skip
            for name, values in columns.items():
                values.append(call[name])


def scrapes(about: About, rng: random.Random) -> Columns:
    """Counters that grow by what is asked: 10 requests a second at each service, 10 commands at each store."""
    rows: list[tuple[int, str, str, float]] = []
    start, end = about.timeline.start_ns, about.timeline.end_ns
    for second in range((end - start) // build.SECOND):
        time_ns = start + second * build.SECOND + 500_000
        jitter = rng.choice((-1, 0, 0, 1))
        rows += [(time_ns, name, "rpc_server_requests_total", 10.0 * second + jitter) for name in build.SERVICES]
        rows += [(time_ns, name, "pg_xact_commit_total", 10.0 * second + jitter) for name in STORES]
        rows += [(time_ns, name, "pg_wal_sync_total", 0.0) for name in STORES]
        rows += [(time_ns, name, "pg_query_duration_seconds", 0.001) for name in STORES]
    times, names, metrics, values = map(list, zip(*rows, strict=True))
    return {
        "time_unix_nano": times, "service_name": names, "service_instance_id": [f"{name}-1" for name in names],
        "metric_name": metrics, "unit": [""] * len(rows), "kind": ["counter"] * len(rows), "value": values,
        "attributes": [{}] * len(rows),
    }  # fmt: skip


def probe_counted(metric: str) -> Edit:
    """The target counts 6 a second more while the fault is in, with no span."""

    def edit(name: str, columns: Columns, about: About) -> None:
        if name != "metrics":
            return
        more = 0.0
        for row, time_ns in enumerate(columns["time_unix_nano"]):
            if (columns["metric_name"][row], columns["service_name"][row]) == (metric, about.target):
                more += 6.0 * about.faulty(time_ns)
                columns["value"][row] += more

    return edit


def probe_traced(name: str, columns: Columns, about: About) -> None:
    """The target serves spans of traces that no request began, while the fault is in."""
    if name != "traces" or about.target != STORE:
        return
    served = zip(columns["service_name"], columns["span_kind"], strict=True)
    own = [row for row, (service, kind) in enumerate(served) if (service, kind) == (SERVICE, "SERVER")]
    for number, row in enumerate(row for row in own if about.faulty(columns["time_unix_nano"][row])):
        for column, values in columns.items():
            values.append(values[row])
            if column in ("trace_id", "span_id"):
                values[-1] = f"{number + 1:032x}"[::-1][: len(values[row])]
        columns["service_name"][-1] = about.target
        columns["parent_span_id"][-1] = None


def footprint(name: str, columns: Columns, about: About) -> None:
    """Of a function of four lines only the first runs while the fault is in."""
    if name == "coverage" and about.target == SERVICE:
        for row, time_ns in enumerate(columns["time_unix_nano"]):
            if about.faulty(time_ns):
                columns["covered"][row] = columns["line"][row] == 10


def own_code(name: str, columns: Columns, about: About) -> None:
    """A file of the tool is counted while the fault is in."""
    if name == "coverage" and about.target == STORE:
        for row, time_ns in enumerate(columns["time_unix_nano"]):
            if about.faulty(time_ns):
                columns["file"][row], columns["function"][row] = "patches.py", "replacement"


def prepared(name: str, columns: Columns, about: About) -> None:
    """A store that is to be the target syncs its log from the start."""
    if name == "metrics":
        for row, metric in enumerate(columns["metric_name"]):
            if metric == "pg_wal_sync_total" and columns["service_name"][row] == about.target:
                since_s = (columns["time_unix_nano"][row] - about.timeline.start_ns) / build.SECOND
                columns["value"][row] = 10.7 * since_s


LINES = (
    "CONFIG SET maxmemory 1000 done",
    "canceling statement due to lock_timeout",
    'parameter "fsync" changed to "on"',
    "chaos agent attached",
)


def log_lines(name: str, columns: Columns, about: About) -> None:
    """The target writes these lines while the fault is in."""
    if name == "logs":
        rows = [row for row, time_ns in enumerate(columns["time_unix_nano"]) if about.faulty(time_ns)]
        for row, body in zip(rows, LINES, strict=False):
            columns["body"][row], columns["service_name"][row] = body, about.target


def phase_field(name: str, columns: Columns, about: About) -> None:
    """An attribute of spans says the phase."""
    if name == "traces":
        columns["attributes"] = [
            {"phase": "anomaly" if about.faulty(time_ns) else "baseline"} for time_ns in columns["time_unix_nano"]
        ]


def all_leaks(name: str, columns: Columns, about: About) -> None:
    """Every leak of a table at once."""
    counted = (probe_counted("rpc_server_requests_total"), probe_counted("pg_xact_commit_total"))
    for edit in (footprint, own_code, prepared, *counted, probe_traced, log_lines, phase_field):
        edit(name, columns, about)

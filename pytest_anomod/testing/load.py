"""A workload that sends nothing, and writes the records of answers that it would have got."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.model.workload import OpenLoop
from pytest_anomod.testing.world import World

HEALTHY_MS, ILL_MS = 2.0, 80.0
"""What the fake workload records of a response while the fault is out, and in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FakeLoad(OpenLoop):
    """A workload that sends nothing and writes the records it would have got; see `start`."""

    module: ClassVar[str] = "pytest_anomod.testing"


_writers: dict[str, tuple[threading.Event, threading.Thread]] = {}


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Begin to append records at the spec's rate, in a thread: quick ones, and slow ones while the fault is in."""
    ended = threading.Event()
    world = World(Path(str(spec["entry_url"]).removeprefix("fake://")))
    thread = threading.Thread(
        target=_write_records, args=(Path(records), float(spec["rate_rps"]), world, ended), daemon=True
    )
    _writers[str(records)] = ended, thread
    begin = clock.now_ns()
    thread.start()
    return {"records": str(records), "start_unix_nano": begin}


def stop(handle: Mapping[str, Json]) -> dict[str, Json]:
    """End the writing; idempotent."""
    if writer := _writers.pop(handle["records"], None):
        writer[0].set()
        writer[1].join()
    return {"state": "ended"}


def response(
    time_unix_nano: int, *, duration_ms: float = HEALTHY_MS, status: int = 200, error_kind: str = ""
) -> dict[str, Json]:
    """One line of a workload's record file."""
    return {
        "time_unix_nano": time_unix_nano,
        "duration_ns": int(duration_ms * 1e6),
        "status_code": status,
        "error_kind": error_kind,
    }


def _write_records(path: Path, rate_rps: float, world: World, ended: threading.Event) -> None:
    with path.open("a", encoding="utf-8") as file:
        while not ended.wait(1 / rate_rps):
            duration_ms = ILL_MS if world.read()["fault_in"] else HEALTHY_MS
            file.write(json.dumps(response(clock.now_ns() - int(duration_ms * 1e6), duration_ms=duration_ms)) + "\n")
            file.flush()

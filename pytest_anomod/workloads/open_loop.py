"""Starts and stops the open-loop workload, a process of its own; `python -m` of this module is that process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.generator import run_generator
from pytest_anomod.workloads.plan import read_spec
from pytest_anomod.workloads.sender import is_running, kept_rate, launch, stop, summary

__all__ = ["is_running", "kept_rate", "start", "stop", "summary"]


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Start the workload and return once it sends; the handle is JSON and enough for `stop` in any process.

    `spec` is described at `plan.read_spec`. The handle has pid, start_time (of the process), records, timeout_s and
    start_unix_nano, the moment the plan began. The workload ends by itself deadline_s later, and when the process
    that started it dies. ScenarioError for a spec that can't work, CaptureError when it does not come up.
    """
    timeout_s = read_spec(spec).timeout_s  # what can't work is said here and not in the log of a process
    return launch("pytest_anomod.workloads.open_loop", spec, records, timeout_s=timeout_s)


def main(arguments: list[str]) -> int:
    """Play the spec of a file: SPECFILE RECORDS."""
    spec_file, records = arguments
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    run_generator(read_spec(spec), Path(records), owner_pid=spec.get("owner_pid"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which lines of a service's own module ran since the last reset: coverage.py, limited to that one file.

On Python 3.12 and newer the sys.monitoring core is used, which reports a line once and then costs nothing; a reset asks
for all lines again. On 3.11 it is the C tracer.
"""

import sys
import time
from collections.abc import Sequence
from types import CodeType
from typing import Any

import coverage

from pytest_anomod.replicas.kit.code_lines import executable_lines, function_lines
from pytest_anomod.replicas.kit.telemetry import source_path


def warmed_coverage(modules: Sequence[str]) -> coverage.Coverage:
    """A measurement of service modules that was started and stopped once, to be made in the parent.

    Each forked child starts this same object again, which takes a fraction of a millisecond where a new one would take
    some 30 ms; a child imports only its own module and so measures only that. Kept in memory, free of configuration
    files and messages.
    """
    measured = coverage.Coverage(data_file=None, config_file=False, messages=False, source_pkgs=list(modules))
    measured.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported", "module-not-measured"])
    if sys.version_info >= (3, 12):
        measured.set_option("run:core", "sysmon")
    measured.start()
    measured.stop()
    return measured


class CoverageMeter:
    """The lines of one service that ran, by window."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._coverage = measured
        self._since = time.time_ns()
        self._code: CodeType | None = None
        self._shape: dict[str, Any] = {}

    def start(self) -> None:
        """Start; must come before the module is imported for its top-level lines to be seen."""
        self._coverage.start()

    def loaded(self, code: CodeType) -> None:
        """Tell which code object the module is made of: it says what is executable."""
        self._code = code
        self._shape = {"executable": executable_lines(code), "functions": function_lines(code)}

    def snapshot(self, *, reset: bool) -> dict[str, Any]:
        """Lines that ran since the last reset, executable lines and functions, by file as telemetry names it."""
        data = self._coverage.get_data()
        code = self._code
        files = {}
        if code is not None:
            covered = sorted(data.lines(code.co_filename) or ())
            files[source_path(code.co_filename)] = {"covered": covered, **self._shape}
        now = time.time_ns()
        answer = {"files": files, "since_unix_nano": self._since, "at_unix_nano": now}
        if reset:
            data.erase()
            if sys.version_info >= (3, 12):
                sys.monitoring.restart_events()  # else a line seen once would never be reported again
            self._since = now
        return answer

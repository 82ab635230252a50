"""Which lines of a service's own sources ran since the question before, by coverage.py."""

import glob
import os
import sys
import sysconfig
import time
from types import ModuleType
from typing import Any

import coverage

_NOT_OWN = ("site-packages", "dist-packages", "node_modules", ".venv", "venv")


def source_root(asked: str) -> str:
    """The directory of the service's sources: as was said, else where its process was started."""
    return os.path.realpath(asked or os.getcwd())


def _installed_into() -> list[str]:
    """Directories on the path that pip has filled (`--target`): they may lie among the service's own sources."""
    return [path for path in map(os.path.realpath, sys.path) if glob.glob(f"{glob.escape(path)}/*.dist-info")]


class Meter:
    """Counts from its making on; `code_lines` is that file of the kit."""

    def __init__(self, source: str, code_lines: ModuleType) -> None:
        self._root = source_root(source)
        self._lines = code_lines
        self._told: set[str] = set()
        self._since = time.time_ns()
        here = os.path.dirname(os.path.abspath(__file__))
        paths = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
        inside = [path for path in paths if path != self._root and not self._root.startswith(path + os.sep)]
        not_own = (here, os.environ["ANOMOD_LIBRARY"], os.environ["ANOMOD_KIT"], *inside, *_installed_into())
        omitted = [f"{path}/*" for path in not_own if path]
        self._coverage = coverage.Coverage(
            data_file=None,
            config_file=False,
            messages=False,
            source=[self._root],
            omit=[*omitted, *(f"*/{name}/*" for name in _NOT_OWN)],
        )
        self._coverage.set_option(
            "run:disable_warnings", ["no-data-collected", "module-not-imported", "module-not-measured", "no-ctracer"]
        )
        if sys.version_info >= (3, 12):
            self._coverage.set_option("run:core", "sysmon")
        self._coverage.start()

    def snapshot(self, *, reset: bool, full: bool) -> dict[str, Any]:
        """Lines that ran since the last reset, by file; with what is known of files not told before, of all if `full`.

        A file of which nothing ran is there when its lines are told.
        """
        data = self._coverage.get_data()
        now = time.time_ns()
        covered = {file: sorted(data.lines(file) or ()) for file in data.measured_files()}
        answer: dict[str, Any] = {"since_unix_nano": self._since, "at_unix_nano": now, "files": {}}
        if reset:
            self.forget(now)
        known = self._told | covered.keys()
        for file in known if full else covered:
            entry: dict[str, Any] = {"covered": covered.get(file, [])}
            if full or file not in self._told:
                entry |= self._known(file)
            answer["files"][os.path.relpath(file, self._root)] = entry
        self._told = known
        return answer

    def forget(self, now: int | None = None) -> None:
        """Begin anew: `Coverage.erase` would end the measurement, what erases its data does not."""
        self._since = now or time.time_ns()
        self._coverage.get_data().erase()
        if sys.version_info >= (3, 12):
            sys.monitoring.restart_events()  # else a line seen once would never be reported again

    def _known(self, file: str) -> dict[str, Any]:
        """Executable lines and functions of a source file, by compiling it; nothing of one that can't be read."""
        try:
            with open(file, "rb") as stream:
                code = compile(stream.read(), file, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError):
            return {}
        return {"executable": self._lines.executable_lines(code), "functions": self._lines.function_lines(code)}

"""What a service writes about itself: where its span and log files are, and the appends that survive a kill."""

import asyncio
import os
import time
from pathlib import Path

import orjson

_SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has the other only
HELD_BACK_S = 0.02
"""How long a line may wait for others to be written with it."""

REPLICAS_ROOT = Path(__file__).resolve().parents[1]

_relative: dict[str, str] = {}


def source_path(filename: str) -> str:
    """A source file as telemetry names it: relative to the replicas, never a path of this machine."""
    found = _relative.get(filename)
    if found is None:
        try:
            found = Path(filename).resolve().relative_to(REPLICAS_ROOT).as_posix()
        except ValueError:
            path = Path(filename)
            found = f"{path.parent.name}/{path.name}"
        _relative[filename] = found
    return found


class LineFile:
    """JSON lines, appended whole and many at once: before an answer is sent, or within HELD_BACK_S in a busy service.

    So the lines of an answer are there when the answer arrives, and a SIGKILL loses the lines of a moment at most.
    Outside an event loop each line is written at once. While `durable` is set each write waits until it is on disk, as
    files do that may not lose a line. `writes` and `waited_s` say how often it was written, and how long that took.
    """

    def __init__(self, path: Path) -> None:
        self.durable = False
        self.writes, self.waited_s = 0, 0.0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._pending: list[bytes] = []
        self._is_due = False

    def write(self, record: dict) -> None:
        """Append one record as one line."""
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        if not self._is_due:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._append(line)
                return
            self._is_due = True
            loop.call_later(HELD_BACK_S, self._flush_late)
        self._pending.append(line)

    def flush(self) -> None:
        """Write what is pending."""
        if self._pending:
            lines = b"".join(self._pending)
            self._pending.clear()
            self._append(lines)

    def _append(self, lines: bytes) -> None:
        started = time.perf_counter()
        os.write(self._descriptor, lines)
        if self.durable:
            _SYNC(self._descriptor)
        self.waited_s += time.perf_counter() - started
        self.writes += 1

    def _flush_late(self) -> None:
        self._is_due = False
        self.flush()


class LineStream(LineFile):
    """JSON lines for whoever runs this process, through a descriptor such as its standard output.

    While `durable` is set they go to the file first, and wait until they are on disk, because a reader of the stream
    does not wait for the disk.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        super().__init__(path)
        self._stream = descriptor

    def _append(self, lines: bytes) -> None:
        if self.durable:
            super()._append(lines)
        while lines:
            lines = lines[os.write(self._stream, lines) :]


class NoFile:
    """Stands in for a LineFile when telemetry is off."""

    def write(self, record: dict) -> None:
        """Drop the record."""

    def flush(self) -> None:
        """Nothing is pending."""


class Telemetry:
    """The two files of one service instance and the names its records carry; log lines may go to a descriptor instead.

    Also the switch: with `enabled` false nothing is recorded, though trace context still travels.
    """

    __slots__ = ("enabled", "instance", "logs", "service", "spans")

    def __init__(
        self, directory: Path, service: str, instance: int, *, enabled: bool = True, log_to: int | None = None
    ) -> None:
        self.enabled = enabled
        self.service = service
        self.instance = f"{service}-{instance}"
        self.logs: LineFile | NoFile = NoFile()
        self.spans: LineFile | NoFile = NoFile()
        if enabled:
            for name in ("logs", "spans"):
                (directory / name).mkdir(exist_ok=True)
            log = directory / "logs" / f"{service}.log"
            self.logs = LineFile(log) if log_to is None else LineStream(log, log_to)
            self.spans = LineFile(directory / "spans" / f"{service}.jsonl")

    def flush(self) -> None:
        """Write out what is pending in both files."""
        self.logs.flush()
        self.spans.flush()

"""Keeps a disk's write queue full: a few writers of large synchronous direct writes into small files without a name.

A stand-alone program of the standard library: `writers.py --directory D --writers N --block-kb K --total-mb M
--budget-gb B --stall-ms W --deadline-s S`. Each writer goes over its own part of `total-mb` again and again; the files
are unlinked as soon as they are open, so nothing stays whatever happens. A small synchronous write tells how long
others wait, and the writers rest more once that is beyond `stall-ms`: no more is written than the effect needs.
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

PROBE_EVERY_S = 0.05
FREE_BYTES_KEPT = 1 << 30
REST_LEAST, REST_MOST = 0.05, 5.0


class Pace:
    """What the writers share: how long to rest per second of writing, bytes left, and whether to end."""

    def __init__(self, budget_bytes: float) -> None:
        self.rest = 0.1
        self.left = budget_bytes
        self.over = threading.Event()

    def adjust(self, waits_s: list[float], wanted_s: float) -> None:
        """Rest a little more when small writes wait longer than wanted, a little less when they wait too little."""
        wait = statistics.median(waits_s)
        factor = 1.15 if wait > 1.25 * wanted_s else 0.85 if wait < wanted_s else 1.0
        self.rest = min(REST_MOST, max(REST_LEAST, self.rest * factor))


def main() -> int:
    """Parse the command line, guard the free space, write until told to end; 3 when the disk has no room for us."""
    arguments = _arguments()
    total = arguments.total_mb << 20
    free = shutil.disk_usage(arguments.directory).free
    if free < total + FREE_BYTES_KEPT:
        sys.stderr.write(
            f"{arguments.directory} has {free >> 20} MB free; {(total + FREE_BYTES_KEPT) >> 20} MB are needed\n"
        )
        return 3
    pace = Pace(arguments.budget_gb * 1e9)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: pace.over.set())
    threads = [
        threading.Thread(target=_write, args=(arguments, total // arguments.writers, pace), daemon=True)
        for _ in range(arguments.writers)
    ]
    for thread in threads:
        thread.start()
    _govern(arguments, pace)
    for thread in threads:
        thread.join(timeout=1.0)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", required=True)
    for name in ("--writers", "--block-kb", "--total-mb"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--budget-gb", "--stall-ms", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    return parser.parse_args()


def _govern(arguments: argparse.Namespace, pace: Pace) -> None:
    """Every so often see how long a small synchronous write waits, and set the pace by the last few."""
    descriptor = _nameless(arguments.directory, direct=False)
    deadline = time.monotonic() + arguments.deadline_s
    waits: list[float] = []
    while not pace.over.wait(PROBE_EVERY_S) and pace.left > 0 and time.monotonic() < deadline:
        started = time.monotonic()
        os.pwrite(descriptor, b"\0" * 4096, 0)
        waits.append(time.monotonic() - started)
        if len(waits) >= 5:
            pace.adjust(waits, arguments.stall_ms / 1e3)
            waits.clear()
    pace.over.set()


def _write(arguments: argparse.Namespace, size: int, pace: Pace) -> None:
    block = min(arguments.block_kb << 10, size)
    # direct writes want memory aligned to pages; large pages (private memory only) make them cost a tenth of the CPU
    buffer = mmap.mmap(-1, block, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):
        buffer.madvise(mmap.MADV_HUGEPAGE)
    buffer.write(os.urandom(min(block, 1 << 20)) * (block // min(block, 1 << 20)))
    descriptor = _nameless(arguments.directory, direct=True)
    offset = 0
    while not pace.over.is_set() and pace.left > 0:
        started = time.monotonic()
        os.pwrite(descriptor, buffer, offset)
        pace.left -= block
        offset = offset + block if offset + 2 * block <= size else 0
        pace.over.wait((time.monotonic() - started) * pace.rest)


def _nameless(directory: str, *, direct: bool) -> int:
    """Descriptor of a new file whose writes reach the disk before they return; the file has no name any more."""
    descriptor, path = tempfile.mkstemp(dir=directory)
    os.close(descriptor)
    flags = os.O_RDWR | os.O_DSYNC
    try:
        try:
            return os.open(path, flags | (getattr(os, "O_DIRECT", 0) if direct else 0))
        except OSError:
            return os.open(path, flags)  # a file system without direct writes
    finally:
        os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())

"""Keeps a disk's write queue full: large direct writes, one after the other without a pause, into files without a name.

A stand-alone program of the standard library: `writers.py --directory D --writers N --block-kb K --total-mb M
--budget-gb B --stall-ms W --deadline-s S`. Each writer goes over its own part of `total-mb` again and again; the files
are unlinked as soon as they are open, so nothing stays whatever happens. How long others wait is set by how many
writers write at a time, at most `writers`: a small synchronous write tells it, and between once and one and a half
times `stall-ms` is what is wanted.
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

PROBE_EVERY_S = 0.01
PROBES = 3
FREE_BYTES_KEPT = 1 << 30
FIRST_DEPTH = 4.0
FACTOR_LEAST, FACTOR_MOST = 0.85, 3.0


class Load:
    """What the writers share: how many of them may write now, bytes left, and whether to end."""

    def __init__(self, writers: int, budget_bytes: float) -> None:
        self.writers = writers
        self.depth = min(FIRST_DEPTH, writers)
        self.left = budget_bytes
        self.over = False  # no threading.Event: a signal handler that sets one may wait for itself
        self._turn = threading.Condition()

    def adjust(self, waits_s: list[float], wanted_s: float) -> None:
        """Have more of them write when small writes wait less than wanted, fewer when they wait for much longer."""
        wait = statistics.median(waits_s)
        if not wanted_s <= wait <= 1.5 * wanted_s:
            factor = min(FACTOR_MOST, max(FACTOR_LEAST, 1.25 * wanted_s / max(wait, 1e-6)))
            with self._turn:
                self.depth = min(self.writers, max(1.0, self.depth * factor))
                self._turn.notify_all()

    def may_write(self, number: int) -> bool:
        """Wait until it is this writer's turn; False when all is over."""
        with self._turn:
            self._turn.wait_for(lambda: number < self.depth or self.over)
        return not self.over and self.left > 0

    def end(self) -> None:
        """Let nobody begin another write."""
        self.over = True
        with self._turn:
            self._turn.notify_all()


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
    load = Load(arguments.writers, arguments.budget_gb * 1e9)
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, lambda *_: setattr(load, "over", True))
    size = total // arguments.writers
    block = _block(min(arguments.block_kb << 10, size))
    for number in range(arguments.writers):
        descriptor = _nameless(arguments.directory, direct=True)
        threading.Thread(target=_write, args=(load, number, descriptor, block, size), daemon=True).start()
    _govern(arguments, load)
    return 0  # writes that are under way end with the process


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", required=True)
    for name in ("--writers", "--block-kb", "--total-mb"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--budget-gb", "--stall-ms", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    return parser.parse_args()


def _govern(arguments: argparse.Namespace, load: Load) -> None:
    """Every so often see how long a small synchronous write waits, and set how many write by the last few."""
    descriptor = _nameless(arguments.directory, direct=False)
    deadline = time.monotonic() + arguments.deadline_s
    waits: list[float] = []
    while not load.over and load.left > 0 and time.monotonic() < deadline:
        time.sleep(PROBE_EVERY_S)
        started = time.monotonic()
        os.pwrite(descriptor, b"\0" * 4096, 0)
        waits.append(time.monotonic() - started)
        if len(waits) >= PROBES:
            load.adjust(waits, arguments.stall_ms / 1e3)
            waits.clear()
    load.end()


def _block(size: int) -> mmap.mmap:
    """What all of them write: bytes that can't be compressed to nothing.

    Direct writes want memory aligned to pages; large pages (private memory only) make them cost a tenth of the CPU.
    """
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):
        block.madvise(mmap.MADV_HUGEPAGE)
    part = min(size, 1 << 20)
    block.write(os.urandom(part) * (size // part))
    return block


def _write(load: Load, number: int, descriptor: int, block: mmap.mmap, size: int) -> None:
    offset = 0
    while load.may_write(number):
        os.pwrite(descriptor, block, offset)
        load.left -= len(block)
        offset = offset + len(block) if offset + 2 * len(block) <= size else 0


def _nameless(directory: str, *, direct: bool) -> int:
    """Descriptor of a new file past the cache (`direct`), or one whose writes are synchronous; it has no name any more.

    Direct writes are not synchronous as well where that can be had: each would wait for the disk to be flushed, all of
    them for the same flush, and then the queue were empty.
    """
    descriptor, path = tempfile.mkstemp(dir=directory)
    os.close(descriptor)
    try:
        if direct and hasattr(os, "O_DIRECT"):
            with contextlib.suppress(OSError):  # a file system without direct writes
                return os.open(path, os.O_RDWR | os.O_DIRECT)
        return os.open(path, os.O_RDWR | os.O_DSYNC)
    finally:
        os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())

"""64-bit ids of posts and users: 3 hex digits of machine, 10 of milliseconds since 2018, 3 of a counter."""

import hashlib
import os

EPOCH_MS = 1_514_764_800_000  # 2018-01-01T00:00:00Z
LARGEST_ID = 0x7FFF_FFFF_FFFF_FFFF


class ClockStepsBackwardsError(RuntimeError):
    """The wall clock gave an earlier millisecond than before; ids would no longer be unique."""


class Counter:
    """Counts the ids made within one millisecond."""

    def __init__(self) -> None:
        self._last_ms = -1
        self._count = 0

    def next(self, timestamp_ms: int) -> int:
        """0 for the first id of a millisecond, then 1, 2 ...; an earlier one raises `ClockStepsBackwardsError`."""
        if timestamp_ms < self._last_ms:
            msg = f"timestamps are not incremental: {timestamp_ms} after {self._last_ms}"
            raise ClockStepsBackwardsError(msg)
        if timestamp_ms == self._last_ms:
            self._count += 1
        else:
            self._last_ms = timestamp_ms
            self._count = 0
        return self._count


def mac_address(service: str) -> str:
    """A stable, locally administered address made from the service's name: the host's own is nobody's business."""
    digest = hashlib.sha256(service.encode()).digest()
    return "02:42:" + ":".join(f"{byte:02x}" for byte in digest[:4])


def machine_id(mac: str, pid: int | None = None) -> str:
    """Three hex digits from the address and the process id, so that two processes make different ids."""
    digest = hashlib.sha256(f"{mac}{os.getpid() if pid is None else pid}".encode()).hexdigest()
    return digest[:3]


def compose_id(machine: str, timestamp_ms: int, counter: int) -> int:
    """The id of the given milliseconds since 2018; the top bit is cleared to stay positive."""
    return int(f"{machine}{timestamp_ms & 0xFFFFFFFFFF:010x}{counter & 0xFFF:03x}", 16) & LARGEST_ID

"""Reads small files of /proc: those asked for again and again stay open, as opening one costs more than reading it."""

from __future__ import annotations

import collections
import os
import threading

_MOST_BYTES = 65_536


def read_once(path: str) -> bytes:
    """A small file of /proc; nothing when it is gone, or not for us to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _MOST_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


class ProcFiles:
    """Files that stay open, at most `most` of them: those asked for last.

    What was opened is of one process for ever, whoever gets its number next, and says nothing more when that is gone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: collections.OrderedDict[tuple[str, bytes], int] = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str, owner: bytes = b"") -> bytes:
        """The file as it is now; nothing when it is gone, or not for us to read.

        `owner` tells one process of that number from the next, for files that stay readable, and empty, after its end.
        """
        key = path, owner
        with self._lock:
            descriptor = self._open.get(key)
            if descriptor is not None:
                try:
                    text = os.pread(descriptor, _MOST_BYTES, 0)
                    self._open.move_to_end(key)
                    return text
                except OSError:  # that process is gone, and another may have its number
                    os.close(self._open.pop(key))
            return self._first(key)

    def _first(self, key: tuple[str, bytes]) -> bytes:
        """Open a file and read it; the one that was not asked for the longest is closed."""
        try:
            descriptor = os.open(key[0], os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            text = os.pread(descriptor, _MOST_BYTES, 0)
        except OSError:
            os.close(descriptor)
            return b""
        self._open[key] = descriptor
        if len(self._open) > self._most:
            os.close(self._open.popitem(last=False)[1])
        return text

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1])

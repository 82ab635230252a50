"""Payloads as they came, kept until somebody reads them: in memory up to a bound, then in a file without a name."""

from __future__ import annotations

import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_HEAD = struct.Struct("<qBI")  # when it came, its encoding, its length


class Spool:
    """Payloads in the order in which they came; safe to use from several threads.

    More than `in_memory` bytes go to a file in `directory`, which has no name, so that it ends with this process.
    """

    def __init__(self, directory: Path | None, *, in_memory: int, most: int) -> None:
        self._directory = None if directory is None else str(directory)
        self._in_memory = in_memory
        self._most = most
        self._lock = threading.Lock()
        self._size = 0
        self._file = self._new_file()

    def _new_file(self) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(
            self._in_memory, dir=None if self._directory is None else str(self._directory)
        )

    def add(self, came_ns: int, encoding: int, payload: bytes) -> bool:
        """Keep a payload; False when there is no room for it, be it on the disk."""
        with self._lock:
            size = _HEAD.size + len(payload)
            if self._size + size > self._most:
                return False
            try:
                self._file.seek(self._size)
                self._file.write(_HEAD.pack(came_ns, encoding, len(payload)) + payload)
            except OSError:
                return False
            self._size += size
            return True

    def payloads(self) -> Iterator[tuple[int, int, bytes]]:
        """When each payload came, its encoding and its bytes, of all that are there now."""
        with self._lock:
            place, end, file = 0, self._size, self._file
        while place < end:
            with self._lock:
                if self._file is not file or file.closed:  # all was forgotten meanwhile
                    return
                file.seek(place)
                came_ns, encoding, length = _HEAD.unpack(file.read(_HEAD.size))
                payload = file.read(length)
            place += _HEAD.size + length
            yield came_ns, encoding, payload

    def clear(self) -> None:
        """Forget all payloads."""
        with self._lock:
            self._file.close()
            self._file = self._new_file()
            self._size = 0

    def close(self) -> None:
        """Give the memory or the file back."""
        with self._lock:
            self._file.close()
            self._size = self._most = 0

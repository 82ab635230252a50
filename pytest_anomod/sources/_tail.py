"""Reads what is appended to files during a case, at its end; it survives rotation, truncation and deletion."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_anomod.model import clock

SETTLE_S = 1.0
QUIET_S = 0.1


class Tail:
    """One file from its size at `start` on. `torn` counts stretches that could not be read as whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = 0
        self._pieces: list[_Piece] = []

    def start(self) -> None:
        """Remember where the file ends now; a file that comes later is read from its beginning."""
        self._take(from_end=True)

    def look(self) -> None:
        """See whether the file was rotated or cut since; cheap, and the more often the less can be missed."""
        self._take(from_end=False)
        for piece in self._pieces:
            if piece.was_cut():
                self.torn += 1

    def size(self) -> int:
        """Bytes in the file and in what it was rotated from."""
        return sum(piece.size() for piece in self._pieces)

    def lines(self) -> Iterator[bytes]:
        """Whole lines in order, without their ends; an unfinished last line is counted in `torn`."""
        return (line for _, line in self.placed_lines())

    def placed_lines(self) -> Iterator[tuple[int, bytes]]:
        """The same, each with what `size` was at least when all of the line was there."""
        self.look()
        before = 0
        for piece in self._pieces:
            piece.file.seek(piece.offset)
            end = before + piece.offset
            for line in piece.file:
                end += len(line)
                if line.endswith(b"\n"):
                    yield end, line[:-1]
                else:
                    self.torn += 1
            before += piece.size()

    def close(self) -> None:
        """Close all files."""
        for piece in self._pieces:
            piece.file.close()
        self._pieces.clear()

    def _take(self, *, from_end: bool) -> None:
        """Open the file that the path names now, unless we have it; what is open stays readable if it is deleted."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        state = os.fstat(file.fileno())
        if any(piece.identity == (state.st_dev, state.st_ino) for piece in self._pieces):
            file.close()
            return
        offset = state.st_size if from_end else 0
        self._pieces.append(_Piece(file, (state.st_dev, state.st_ino), offset))


class _Piece:
    """One file that the path named at some time."""

    def __init__(self, file: io.BufferedReader, identity: tuple[int, int], offset: int) -> None:
        self.file = file
        self.identity = identity
        self.offset = offset
        self._most = offset

    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def was_cut(self) -> bool:
        """Whether the file got shorter since we last looked; it is then read from its beginning."""
        size, most = self.size(), self._most
        self._most = size
        if size < most:
            self.offset = 0
        return size < most


def settle(tails: Iterable[Tail], *, most_s: float = SETTLE_S) -> None:
    """Wait until nothing is appended for a moment: what the last requests still cause is then in the files."""
    tails = list(tails)
    deadline = clock.monotonic_s() + most_s
    sizes = [tail.size() for tail in tails]
    while clock.monotonic_s() < deadline:
        clock.sleep(QUIET_S)
        before, sizes = sizes, [tail.size() for tail in tails]
        if sizes == before:
            return

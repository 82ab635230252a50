"""Files whose writes wait until they are on disk: the flag that `chattr +S` sets. It takes the owner, no root.

A program that writes to such a file does not notice: its calls, counts and logs stay the same, and take as long as the
disk.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_GET, _SET, _SYNC = 0x80086601, 0x40086602, 0x8
"""FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_SYNC_FL of Linux's uapi/linux/fs.h (x86-64, arm64)."""


def can_wait(directory: Path) -> bool:
    """Whether the file system below a directory knows such a flag: ext4, XFS and Btrfs do, memory does not."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        try:
            _set(Path(file.name), True)
        except OSError:
            return False
    return True


def let_wait(paths: Iterable[Path], on: bool) -> None:
    """Have files wait or not; in a directory those that are there, and those made later. What is gone is left out."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            _set(path, on)  # a directory first: what is made meanwhile takes after it
            for entry in sorted(path.iterdir()) if path.is_dir() else ():
                if entry.is_file():
                    with contextlib.suppress(FileNotFoundError):
                        _set(entry, on)


def do_wait(paths: Iterable[Path]) -> bool:
    """Whether all of these paths that are there have the flag, and one is there."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found.append(bool(_flags(path) & _SYNC))
    return bool(found) and all(found)


def _flags(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        value = array.array("i", [0, 0])  # declared as a long, read and written as an int
        fcntl.ioctl(descriptor, _GET, value, True)
        return value[0]
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
            return 0
        raise
    finally:
        os.close(descriptor)


def _set(path: Path, on: bool) -> None:
    flags = _flags(path)
    wanted = flags | _SYNC if on else flags & ~_SYNC
    if wanted == flags:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _SET, array.array("i", [wanted, 0]))
    finally:
        os.close(descriptor)

"""ZIP archives of cases and checksums; equal cases give equal bytes."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_anomod.dataset import files

NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The first moment that ZIP can tell: when a file was copied is nobody's business."""
MODE = 0o100644 << 16
UNIX = 3


def write_archive(path: Path, root: Path, directories: Iterable[Path]) -> None:
    """Pack all files of these directories under their names below `root`, in order of name."""
    members = sorted(file for directory in directories for file in directory.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.relative_to(root).as_posix(), NO_TIME)
            info.create_system, info.external_attr = UNIX, MODE
            # Parquet is compressed already; stored as it is, one table can be read out of the archive alone
            info.compress_type = zipfile.ZIP_STORED if member.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as target, member.open("rb") as source:
                shutil.copyfileobj(source, target, 2**20)


def checksums(out: Path) -> Iterator[tuple[str, str]]:
    """Name below `out` and SHA-256 of each file, in order of name."""
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        yield path.relative_to(out).as_posix(), files.sha256(path)

"""Imports fault files of Chaos Mesh, Litmus, ChaosBlade and Toxiproxy, a file a format, and exports scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_anomod.model.remark import Remark
    from pytest_anomod.model.system import System


def check(path: Path, system: System | None = None) -> list[Remark] | None:
    """What an import makes of each part of a file; None when its format is not one that is read here.

    Nothing of the file is run. Without a system its targets are taken for services.
    """
    from pytest_anomod.importers import reading, table
    from pytest_anomod.importers.found import Aims

    found = reading.read(path, Aims(system=system))
    return None if not found.formats else table.remarks_of(found)

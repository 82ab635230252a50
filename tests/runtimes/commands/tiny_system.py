"""A tiny system of three Python programs, written to a directory, as a team's own would be."""

from __future__ import annotations

from pathlib import Path

from tiny_server import SERVER

from pytest_anomod.define.commands import procfile_system
from pytest_anomod.model.system import System

PROCFILE = """\
# the tiny shop
stock: python3 server.py stock
front: LEVEL=info python3 server.py front $STOCK_URL
"""


def write_files(directory: Path, procfile: str = PROCFILE) -> Path:
    """The program and a Procfile of two services, the second of which asks the first; the Procfile."""
    directory.mkdir(exist_ok=True)
    (directory / "server.py").write_text(SERVER)
    path = directory / "Procfile"
    path.write_text(procfile)
    return path


def define_tiny(directory: Path, procfile: str = PROCFILE, **more: object) -> System:
    """The tiny system, defined and registered."""
    env = {"STOCK_URL": "http://127.0.0.1:{stock}"}
    return procfile_system(write_files(directory, procfile), **{"name": "tiny", "entry": "front", "env": env, **more})

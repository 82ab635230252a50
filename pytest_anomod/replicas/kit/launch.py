"""From the command line of the host to a running deployment; imported once all libraries are known to be there."""

import argparse
import asyncio
import importlib
import secrets
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.replicas.kit.layout import PortInUseError, lay_out, make_directories
from pytest_anomod.replicas.kit.net import write_atomically
from pytest_anomod.replicas.kit.stores import Stores
from pytest_anomod.replicas.kit.system import ReplicaSystem

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.deployment import Deployment

SYSTEMS = "pytest_anomod.replicas"


def start(options: argparse.Namespace) -> "Deployment":
    """Everything before the event loop: ports, programs of the stores, and all imports services will need."""
    module = importlib.import_module(options.system if "." in options.system else f"{SYSTEMS}.{options.system}")
    system: ReplicaSystem = module.SYSTEM
    layout = lay_out(system, options.base_port, options.entry_port)
    layout.check_free()
    token = _token(options)
    stores = Stores(system, layout, options.dir)
    stores.launch_ahead()
    try:
        from pytest_anomod.replicas.kit.deployment import Deployment, Options, Phases

        wanted = Options(
            directory=options.dir,
            token=token,
            seed=options.seed,
            coverage=options.coverage,
            telemetry=options.telemetry,
            owner_pipe=options.owner_pipe,
        )
        return Deployment(system, wanted, layout, stores, Phases())
    except BaseException:  # also an interrupt must not leave programs behind
        stores.kill_ahead()
        raise


def run(options: argparse.Namespace) -> int:
    """Run a deployment to its end and return the exit code."""
    make_directories(options.dir)
    for name in ("deployment.json", "error.txt"):
        (options.dir / name).unlink(missing_ok=True)
    try:
        asyncio.run(start(options).run())
    except PortInUseError as error:
        return _failed(options.dir, str(error), 3)
    except Exception as error:
        # of whatever kind: who waits for this deployment must be told, and only this file reaches them
        detail = "" if type(error).__module__.startswith(SYSTEMS) else f"\n{traceback.format_exc()}"
        return _failed(options.dir, f"{error}{detail}", 1)
    return 0


def _failed(directory: Path, message: str, code: int) -> int:
    write_atomically(directory / "error.txt", f"{message}\n".encode())
    sys.stderr.write(f"{message}\n")
    return code


def _token(options: argparse.Namespace) -> str:
    if options.token_file is not None:
        token = options.token_file.read_text().strip()
        if not token:
            raise ValueError(f"the token file {options.token_file} is empty")
        return token
    token = secrets.token_hex(16)
    write_atomically(options.dir / "secret" / "token", token.encode(), 0o600)
    return token

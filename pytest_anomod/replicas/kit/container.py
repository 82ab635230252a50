"""One part of a replica as the program of a container: `python -m pytest_anomod.replicas.kit.container SYSTEM PART`.

PART is the name of a service or store, or `host`, which writes the passwords and the plan of the deployment
(run/plan.json), fills the stores (run/filled when that is done), and answers for their metrics. All of them share
directories below /deployment; what they log they say to their standard output, for the engine to keep. Peers are found
by name, on the ports that the host runtime gives them too; what restarts a part that died, and what stops it, is the
engine.
"""

import argparse
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from pytest_anomod.replicas.kit.dns_names import ANYWHERE, DnsNames
from pytest_anomod.replicas.kit.layout import lay_out
from pytest_anomod.replicas.kit.net import Login, write_atomically

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.layout import Layout
    from pytest_anomod.replicas.kit.system import ReplicaSystem

SYSTEMS = "pytest_anomod.replicas"
HOST_PART = "host"
USER = 1000
STORE_SETTINGS = {
    "redis": {"bind": ANYWHERE, "protected-mode": "no"},
    "postgres": {"listen_addresses": ANYWHERE, "hba_file": ""},  # the file is added where the store starts
}


def main(arguments: list[str] | None = None) -> int:
    """Become the part; returns only when it ended in good order, or never could begin (1)."""
    options = _arguments(arguments)
    launches = _count_launch(options.dir / "run" / f"{options.part}.launches")
    stores = options.dir / "run" / "stores.json"
    if options.part != HOST_PART and stores.exists() and options.part in (found := orjson.loads(stores.read_bytes())):
        _run_store(options, **found[options.part])
    system = _load(options.system)
    layout = lay_out(system, options.base_port, options.entry_port)
    try:
        if options.part == HOST_PART:
            from pytest_anomod.replicas.kit.container_host import run_host

            return run_host(system, layout, options)
        _run_service(system, layout, options, launches)
    except Exception as error:
        # of whatever kind: who waits for this part must be told, and the last lines of its log are what they see
        detail = "" if type(error).__module__.startswith(SYSTEMS) else f"\n{traceback.format_exc()}"
        sys.stderr.write(f"{error}{detail}\n")
        return 1
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pytest_anomod.replicas.kit.container", description=__doc__)
    parser.add_argument("system", help="name of a package of replicas, or a dotted path; it has SYSTEM")
    parser.add_argument("part", help=f"a service, a store, or {HOST_PART!r}")
    parser.add_argument("--dir", type=Path, default=Path("/deployment"), help="directory of the deployment")
    parser.add_argument("--base-port", type=int, required=True, help="first port of the deployment")
    parser.add_argument("--entry-port", type=int, help="port of the entry gateway, if not of the block")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-coverage", dest="coverage", action="store_false")
    parser.add_argument("--no-telemetry", dest="telemetry", action="store_false")
    return parser.parse_args(arguments)


def _count_launch(path: Path) -> int:
    """How often this part was started in this deployment, this time included: its instances are numbered by it."""
    launches = int(path.read_text()) + 1 if path.exists() else 1
    write_atomically(path, str(launches).encode())
    return launches


def _load(name: str) -> "ReplicaSystem":
    module = importlib.import_module(name if "." in name else f"{SYSTEMS}.{name}")
    return module.SYSTEM


def _run_store(options: argparse.Namespace, engine: str, port: int, settings: dict[str, str]) -> None:
    """Become the store's program; what it says goes to the engine."""
    directory = options.dir / "stores" / options.part
    settings = {**STORE_SETTINGS[engine], **settings}
    if engine == "redis":
        from pytest_anomod.replicas.kit.redis_server import RedisServer

        RedisServer(directory, port, settings).exec()
    from pytest_anomod.replicas.kit.postgres_server import PostgresServer, cluster_template

    directory.mkdir(parents=True, exist_ok=True)
    access = directory / "access.conf"
    access.write_text("host all all all scram-sha-256\n")
    settings["hba_file"] = str(access)
    template, _ = cluster_template()
    _leave_root(directory)
    PostgresServer(directory, port, settings, template).exec()


def _leave_root(directory: Path) -> None:
    """Be another user where the server can't be one in a namespace of its own: PostgreSQL refuses to run as root."""
    if os.getuid() == 0 and not _namespace_allowed():
        for path in (directory, *directory.rglob("*")):
            os.chown(path, USER, USER)
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)


def _namespace_allowed() -> bool:
    from pytest_anomod.replicas.kit.postgres_server import leave_root

    pid = os.fork()
    if pid == 0:
        try:
            leave_root()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _run_service(system: "ReplicaSystem", layout: "Layout", options: argparse.Namespace, launches: int) -> None:
    from pytest_anomod.replicas.kit.coverage_meter import warmed_coverage
    from pytest_anomod.replicas.kit.service import Environment
    from pytest_anomod.replicas.kit.service_process import ServicePlan, compile_module, run_service

    spec = next((spec for spec in system.services if spec.name == options.part), None)
    if spec is None:
        raise ValueError(f"system {system.name!r} has no part {options.part!r}")
    environment = Environment(
        name=spec.name,
        directory=options.dir,
        instance=launches,
        seed=options.seed,
        telemetry=options.telemetry,
        log_to=sys.stdout.fileno(),
        options=spec.options,
        logins=_logins(system, options.dir),
        names=DnsNames(layout.listen, options.dir / "names" / f"{spec.name}.json"),
    )
    plan = ServicePlan(
        package=system.package,
        module=spec.module,
        code=compile_module(system.package, spec.module),
        environment=environment,
        port=layout.listen[spec.name],
        agent_port=layout.agents[spec.name],
        host=ANYWHERE,
        token=(options.dir / "secret" / "token").read_text().strip(),
        coverage=warmed_coverage([f"{system.package}.{spec.module}"]) if options.coverage else None,
    )
    run_service(plan, os.open(os.devnull, os.O_WRONLY))


def _logins(system: "ReplicaSystem", directory: Path) -> dict[str, Login]:
    """What services log in with, as the host wrote it down."""
    logins = {}
    for store in system.stores:
        if store.engine == "postgres":
            login = orjson.loads((directory / "secret" / f"{store.name}.json").read_bytes())
            logins[store.name] = Login(login["user"], login["password"], login["database"])
    return logins


if __name__ == "__main__":
    sys.exit(main())

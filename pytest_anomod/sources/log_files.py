"""Logs that services and stores write to files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import LogFile
from pytest_anomod.sources._files import FileReader
from pytest_anomod.sources._log_rows import log_rows
from pytest_anomod.sources._rows import Row
from pytest_anomod.sources.read import LOG_FIELDS


class LogFileReader(FileReader[LogFile]):
    """Log files of all services and stores."""

    fields = LOG_FIELDS

    def __init__(self, deployment: Deployment, sources: Sequence[LogFile]) -> None:
        super().__init__(deployment, sources)
        self.may_be_silent = all(source.format == "text" for source in sources)

    def parse(self, source: LogFile, lines: Iterable[bytes]) -> Iterable[Row | None]:
        """Rows of a log file."""
        return log_rows(source, lines, self.watch)

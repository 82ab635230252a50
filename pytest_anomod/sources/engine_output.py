"""Logs as the container engine keeps them: what services and stores print, each line with the engine's timestamp."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_anomod.host import engine
from pytest_anomod.model import clock
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.model.modality import Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import EngineOutput
from pytest_anomod.sources._files import SETTLE_S
from pytest_anomod.sources._instances import InstanceWatch
from pytest_anomod.sources._log_rows import log_rows
from pytest_anomod.sources._rows import Row, to_columns
from pytest_anomod.sources.collect import POLL_S, Reader
from pytest_anomod.sources.read import LOG_FIELDS

Output = Sequence[tuple[int, bytes]]


class EngineOutputReader(Reader):
    """The output of all containers. It is read once, at the end: the engine keeps it through restarts of a container.

    `dropped` counts lines that can't be read.
    """

    settle_s = SETTLE_S

    def __init__(self, deployment: Deployment, sources: Sequence[EngineOutput]) -> None:
        super().__init__()
        self.may_be_silent = all(source.format == "text" for source in sources)
        self._watch = InstanceWatch(deployment)
        self._sources = tuple(sources)
        self._since_ns = 0
        self._outputs: list[Output] = []
        self._rows: list[Row] | None = None

    def start(self) -> None:
        """Remember the time."""
        self._since_ns = clock.now_ns()
        self._watch.look()

    def edge(self, name: str) -> None:
        """See which instances run."""
        self._watch.look()

    def settled(self) -> bool:
        """Read all output; whether no line is younger than a moment."""
        began = clock.now_ns()
        self._outputs = self._read()
        newest = max((output[-1][0] for output in self._outputs if output), default=0)
        return newest < began - POLL_S * NS_PER_S

    def stop(self) -> None:
        """Parse all lines, read by the last question whether it is settled; idempotent."""
        if self._rows is not None or not self._since_ns:
            return
        outputs = self._outputs or self._read()
        self._watch.look()
        rows: list[Row] = []
        for source, output in zip(self._sources, outputs, strict=True):
            observed, lines = [time for time, _ in output], [line for _, line in output]
            for row in log_rows(source, lines, self._watch, observed):
                if row is None:
                    self.dropped += 1
                else:
                    rows.append(row)
        self._rows, self._outputs = rows, []

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All lines of the stretch, in time order."""
        return to_columns(self._rows or (), LOG_FIELDS, start_ns, end_ns)

    def _read(self) -> list[Output]:
        """Everyone's lines until now; CaptureError when the engine is gone."""

        def read(source: EngineOutput) -> Output:
            return engine.output(source.engine, source.container, self._since_ns, stderr=source.stderr)

        try:
            with ThreadPoolExecutor(max_workers=8, thread_name_prefix="engine output") as pool:
                return list(pool.map(read, self._sources))
        except DeploymentError as error:
            msg = f"the output of containers can't be had any more: {error}"
            raise CaptureError(msg) from error

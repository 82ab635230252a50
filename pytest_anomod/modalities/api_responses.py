"""API responses: what users sent and what they got back, from the record file of the workload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_anomod.model import fast_json
from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.modality import Column, Columns
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import ResponseRecord, Source
from pytest_anomod.sources._rows import Row, to_columns
from pytest_anomod.sources._tail import Tail

COLUMNS = (
    Column(name="journey", type="string", doc="name of the user path"),
    Column(name="journey_id", type="int64", doc="number of the arrival, counted from 0"),
    Column(name="step", type="int32", doc="number of the request in its journey, from 1; 0 when none was sent"),
    Column(name="method", type="string", doc="HTTP method"),
    Column(name="route", type="string", doc="template of the path"),
    Column(name="url", type="string", doc="what was asked for"),
    Column(name="status_code", type="int32", doc="HTTP status; 0 without a whole answer"),
    Column(
        name="error_kind",
        type="string",
        doc="why there is no whole answer: connect, disconnect, timeout, protocol, cancelled (the workload ended), "
        "shed (too many under way, not sent); empty for an answer of any status",
    ),
    Column(
        name="duration_ns", type="int64", doc="until the whole answer came; of a first step from when it was planned"
    ),
    Column(name="delay_ns", type="int64", doc="how much of the duration passed before the workload itself sent it"),
    Column(name="trace_id", type="string", doc="32 hex digits sent in traceparent; empty when nothing was sent"),
    Column(name="span_id", type="string", doc="16 hex digits sent in traceparent: parent of the entry's span"),
    Column(name="request_headers", type="json", doc="by lower-case name"),
    Column(name="request_body", type="string", doc="text, cut at some KiB"),
    Column(name="request_truncated", type="bool", doc="whether the body was cut"),
    Column(name="response_headers", type="json", doc="by lower-case name"),
    Column(name="response_body", type="string", doc="text, cut at some KiB"),
    Column(name="response_truncated", type="bool", doc="whether the body was cut"),
    Column(name="response_bytes", type="int64", doc="length of the whole body"),
)
FIELDS = ("time_unix_nano", "service_name", "service_instance_id", *(column.name for column in COLUMNS))
_RECORDED = tuple(field for field in FIELDS if field != "service_instance_id")


class ResponseCollector:
    """Reads the workload's record file at the end. service_name is the service that was asked, the entry most often.

    service_instance_id is null: a user can't see which instance answered, the trace tells.
    """

    may_be_silent = False

    def __init__(self, records: Path) -> None:
        self.dropped = 0
        self.noted: Counter[str] = Counter()
        self._tail = Tail(records)
        self._rows: list[Row] | None = None

    def start(self) -> None:
        """Nothing to do: the workload begins the file when it begins."""

    def edge(self, name: str) -> None:
        """Nothing to do: every exchange has its own time."""

    def settle(self, since_s: float) -> None:
        """Nothing to wait for: the workload's end was awaited."""

    def stop(self) -> None:
        """Read the file; idempotent. CaptureError when the workload never wrote one."""
        if self._rows is not None:
            return
        if not self._tail.path.exists():
            return  # said by columns(): a case that broke off before its workload began must be able to stop us
        self._tail.look()
        rows = list(self._read())
        self.dropped += self._tail.torn
        self._tail.close()
        self._rows = rows

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All exchanges that began in the stretch, in time order; CaptureError when there is no record file."""
        self.stop()
        if self._rows is None:
            msg = f"the api_responses collector found no record file {self._tail.path}: the workload never began"
            raise CaptureError(msg)
        return to_columns(self._rows, FIELDS, start_ns, end_ns)

    def _read(self) -> Iterator[Row]:
        for line in self._tail.lines():
            try:
                record = fast_json.loads(line)
                time_unix_nano, service, *rest = (record[field] for field in _RECORDED)
            except (ValueError, KeyError, TypeError):  # torn, or no record of ours
                self.dropped += 1
                continue
            yield (time_unix_nano, service, None, *rest)


class ApiResponses:
    """The modality of API responses."""

    name = "api_responses"
    columns = COLUMNS
    has_length = True
    absence = "no workload drove the system"

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> ResponseCollector | None:
        """A collector for one case."""
        records = [source.path for source in sources if isinstance(source, ResponseRecord)]
        return ResponseCollector(records[0]) if records else None


OFFERS = (ApiResponses(),)

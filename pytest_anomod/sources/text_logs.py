"""Makes entries of log lines of an unknown format: JSON, logfmt and plain text, with stack traces joined."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pytest_anomod.sources.log_lines import Line, Seen, read_line
from pytest_anomod.sources.severity import ERROR, FATAL, INFO, WARN, Severity

MOST_LINES = 2_000
"""Of one entry; further ones are counted in its attribute log.lines_left_out."""

_HEAD = 400
"""Characters of a line that are looked at: what tells a trace stands at the beginning."""

_PYTHON = "Traceback (most recent call last):"
_PYTHON_CHAIN = re.compile(
    r"During handling of the above exception|The above exception was the direct cause|Traceback "
)
_PYTHON_LAST = re.compile(r"[A-Za-z_][\w.]*(?::|$)")
_EXCEPTION = (
    r"(?:Uncaught |Unhandled |Caused by: |Suppressed: )*(?:[\w$]+[./])*[\w$]*(?:Error|Exception|Throwable)"
    r"(?::|$| \[|\s*\()"
)
"""Such as java.lang.IllegalStateException: sold out, or TypeError: x is not a function."""
_STARTS: tuple[tuple[re.Pattern[str], str, Severity], ...] = (
    (re.compile(re.escape(_PYTHON)), "python", ERROR),
    (re.compile(r"panic: |fatal error: "), "go", FATAL),
    (re.compile(r"(?:file://)?/\S+:\d+$|node:\S+:\d+$"), "node", ERROR),
    (re.compile(r"Exception in thread "), "java", ERROR),
    (re.compile(_EXCEPTION), "java", ERROR),
)
"""How a trace begins that no logger wrote."""
_MORE = {
    "go": re.compile(r"goroutine \d+ |created by |panic: |\[signal |exit status \d|\.\.\.|[\w.*/]\S*\("),
    "node": re.compile(rf"{_EXCEPTION}|Node\.js v\d|\(Use `node"),
    "java": re.compile(r"Caused by: |Suppressed: "),
}
"""Lines of a trace that are not indented."""
_BELOW_A_MESSAGE = re.compile(rf"{re.escape(_PYTHON)}|{_EXCEPTION}")
_CLOSING = re.compile(r"[\]})]+[,;]?$")


@dataclasses.dataclass(slots=True, kw_only=True)
class Entry:
    """One entry of a log; `line` is the number, from 0, of the line that it begins with.

    Ids are lower-case hex, or "". Attributes are other fields of the line. Secrets are still in.
    """

    time_unix_nano: int
    severity: Severity
    body: str
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Any]
    line: int = 0


def entries(lines: Iterable[bytes], observed: Sequence[int] = (), *, is_local: bool = False) -> Iterator[Entry | None]:
    """Entries of lines without their ends; None for an entry whose time nothing tells.

    `observed` has the time in nanoseconds at which the container engine took each line, or is empty. It is the time of
    entries without one of their own, and tells the zone of those that name none. Without it, such times are UTC, or
    with `is_local` local times of this machine, and an entry without a time has that of the entry before.
    """
    pending: _Pending | None = None
    last_ns: int | None = None
    for number, raw in enumerate(lines):
        seen_ns = observed[number] if number < len(observed) else None
        line = read_line(raw.decode("utf-8", "replace"), Seen(seen_ns, is_local))
        if not line.text:
            continue
        if pending is not None and pending.takes(line):
            pending.add(line)
            continue
        if pending is not None:
            yield pending.entry()
            last_ns = pending.time_ns
        pending = _Pending(line, number, last_ns if seen_ns is None else seen_ns)
    if pending is not None:
        yield pending.entry()


class _Pending:
    """An entry that lines may still belong to; `trace` is the language of the stack trace in it, or ""."""

    def __init__(self, line: Line, number: int, otherwise_ns: int | None) -> None:
        self.time_ns = otherwise_ns if line.time_unix_nano is None else line.time_unix_nano
        self._line = line
        self._number = number
        self._texts = [line.body]
        self._left_out = 0
        self._trace, self._severity = "", line.severity or INFO
        if not line.begins:
            self._begin_trace(line)
        self._is_indented = False

    def _begin_trace(self, line: Line) -> None:
        for pattern, language, level in _STARTS:
            if pattern.match(line.text, 0, _HEAD):
                self._trace, self._severity = language, level
                return

    def takes(self, line: Line) -> bool:
        """Whether a line belongs to this entry."""
        text = line.text
        if line.begins:
            return False
        if text[0] in " \t" or _CLOSING.match(text, 0, _HEAD):
            return True
        if self._trace == "python" and (_PYTHON_CHAIN.match(text) or (self._is_indented and _PYTHON_LAST.match(text))):
            return True
        more = _MORE.get(self._trace)
        if more is not None and more.match(text, 0, _HEAD):
            return True
        # a logger writes its message first and the trace below it; a trace without that is an entry of its own
        return self._severity >= WARN and _BELOW_A_MESSAGE.match(text, 0, _HEAD) is not None

    def add(self, line: Line) -> None:
        """Join a line."""
        if not self._trace and line.text.startswith(_PYTHON):
            self._trace = "python"
        self._is_indented = line.text[0] in " \t"
        if len(self._texts) < MOST_LINES:
            self._texts.append(line.text)
        else:
            self._left_out += 1

    def entry(self) -> Entry | None:
        """The entry; None when it has no time."""
        if self.time_ns is None:
            return None
        line = self._line
        attributes = line.attributes
        if self._left_out:
            attributes = {**attributes, "log.lines_left_out": self._left_out}
        return Entry(
            time_unix_nano=self.time_ns,
            severity=self._severity,
            body="\n".join(self._texts),
            trace_id=line.trace_id,
            span_id=line.span_id,
            attributes=attributes,
            line=self._number,
        )

"""Whether users are served as they should be, read from the tail of a workload's record file."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_anomod.model import clock, failure, fast_json
from pytest_anomod.model.fault import Json

LEAST_RESPONSES = 3
MOST_ERRORS = 0.02
"""Share of responses that may be errors in a steady state."""
SLOWER_TIMES, SLOWER_MS = 2.0, 5.0
"""A later look must not find the median latency above SLOWER_TIMES * the first one + SLOWER_MS."""

_BLOCK = 256 * 1024


def look(records: Path, window_s: float, before: Mapping[str, Json] | None) -> dict[str, Json]:
    """What users got in the last `window_s` seconds; `status` is "steady", or says in one sentence why it isn't.

    `before` is what an earlier look saw: with it, the median latency is compared as well.
    """
    recent = list(recent_responses(records, clock.now_ns() - int(window_s * clock.NS_PER_S)))
    errors = sum(map(is_error, recent))
    median_ms = statistics.median(response["duration_ns"] / 1e6 for response in recent) if recent else None
    figures = {
        "responses": len(recent),
        "error_share": round(errors / len(recent), 4) if recent else None,
        "median_ms": round(median_ms, 3) if median_ms is not None else None,
        "window_s": window_s,
    }
    return {"status": _judge(figures, before) or "steady", **figures}


def _judge(figures: Mapping[str, Json], before: Mapping[str, Json] | None) -> str:
    if figures["responses"] < LEAST_RESPONSES:
        return f"{figures['responses']} responses in {figures['window_s']:g} s, fewer than {LEAST_RESPONSES}"
    if figures["error_share"] > MOST_ERRORS:
        return f"{figures['error_share']:.1%} of {figures['responses']} responses are errors, above {MOST_ERRORS:.0%}"
    if before is not None:
        limit_ms = SLOWER_TIMES * before["median_ms"] + SLOWER_MS
        if figures["median_ms"] > limit_ms:
            return f"median latency is {figures['median_ms']:.1f} ms, above {limit_ms:.1f} ms"
    return ""


def is_error(response: Mapping[str, Json]) -> bool:
    """Whether a recorded response failed; a suite's record says what the same request got the time before."""
    return failure.has_failed(response.get("status_code"), response.get("error_kind"), response.get("usual_status"))


def recent_responses(records: Path, since_ns: int) -> Iterator[dict[str, Json]]:
    """Responses that ended at or after `since_ns`, newest first; lines stand in the order in which they ended."""
    for line in _lines_backwards(records):
        response = fast_json.loads(line)
        if "duration_ns" not in response:
            continue
        if response["time_unix_nano"] + response["duration_ns"] < since_ns:
            return
        yield response


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Complete lines of a file that is being appended to, last one first, without reading all of it."""
    if not path.exists():
        return
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        rest, at_end = b"", True
        while position > 0:
            size = min(_BLOCK, position)
            position -= size
            file.seek(position)
            first, *lines = (file.read(size) + rest).split(b"\n")
            if lines and at_end:
                lines.pop()  # what stands after the last line feed is still being written (or is nothing)
                at_end = False
            rest = first
            yield from (line for line in reversed(lines) if line)
        if rest and not at_end:
            yield rest

"""Log lines that go to the standard output: whole, in order, and on disk first while somebody waits for that."""

from __future__ import annotations

import json
import os
import threading

import pytest

from pytest_anomod.replicas.kit.telemetry import LineStream, Telemetry


@pytest.fixture
def pipe():
    """Where the lines go; the reader's end is read to the end by `read`."""
    reader, writer = os.pipe()
    said: list[bytes] = []

    def read() -> None:
        with open(reader, "rb") as stream:
            said.extend(stream)

    thread = threading.Thread(target=read)
    thread.start()

    def ended() -> list[dict]:
        os.close(writer)
        thread.join()
        return [json.loads(line) for line in said]

    return writer, ended


def test_lines_larger_than_a_pipe_come_whole_and_in_order(pipe, tmp_path):
    """And none of them is in the file."""
    writer, ended = pipe
    log = LineStream(tmp_path / "a.log", writer)
    records = [{"number": number, "text": "x" * 50_000} for number in range(20)]
    for record in records:
        log.write(record)
    assert ended() == records
    assert (tmp_path / "a.log").read_bytes() == b""
    assert log.writes == 0


def test_while_durable_they_are_on_disk_as_well(pipe, tmp_path):
    """Each write waited for, and counted; the stream misses none."""
    writer, ended = pipe
    log = LineStream(tmp_path / "a.log", writer)
    for number in range(4):
        log.durable = number in (1, 2)
        log.write({"number": number})
    assert [record["number"] for record in ended()] == [0, 1, 2, 3]
    kept = (tmp_path / "a.log").read_text().splitlines()
    assert [json.loads(line)["number"] for line in kept] == [1, 2]
    assert log.writes == 2
    assert log.waited_s > 0


def test_spans_stay_in_their_file(pipe, tmp_path):
    """Only log lines have another way."""
    writer, ended = pipe
    telemetry = Telemetry(tmp_path, "front", 1, log_to=writer)
    telemetry.logs.write({"is": "log"})
    telemetry.spans.write({"is": "span"})
    assert ended() == [{"is": "log"}]
    assert json.loads((tmp_path / "spans" / "front.jsonl").read_text()) == {"is": "span"}

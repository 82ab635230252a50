"""Files of text that nobody tells the times of: each line has the time at which the file was seen to have grown."""

from __future__ import annotations

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.source import LogFile
from pytest_anomod.sources.log_files import LogFileReader


@pytest.fixture
def reader(deployment, tmp_path):
    """A reader of two files of text, begun; what stood there before is no part of the case."""
    deployment.add("back")
    files = {name: tmp_path / f"{name}.txt" for name in ("back", "front")}
    for file in files.values():
        file.write_text("INFO long ago\n")
    reader = LogFileReader(deployment, [LogFile(service=name, path=file) for name, file in files.items()])
    reader.files = files
    reader.start()
    yield reader
    reader.stop()


def wait_for_a_look(reader, name):
    """Until the size of a file, as it is now, was seen."""
    tail = next(tail for source, tail in reader._tails if source.service == name)
    clock.wait_until(lambda: reader._growth.times(tail, [tail.size()])[-1:], timeout_s=20.0, what="a look")
    sizes, _ = reader._growth._seen[tail]
    clock.wait_until(lambda: sizes[-1] == tail.size(), timeout_s=20.0, what="a look")


def test_lines_without_a_time_have_that_of_their_coming(reader):
    before = clock.now_ns()
    with reader.files["back"].open("a") as log:
        log.write("INFO first\nWARN second\n")
        log.flush()
        wait_for_a_look(reader, "back")
        between = clock.now_ns()
        log.write("ERROR third\n")
    reader.stop()
    after = clock.now_ns() + 1
    columns = reader.columns(before, after)
    assert columns["body"] == ["INFO first", "WARN second", "ERROR third"]
    assert columns["severity_text"] == ["INFO", "WARN", "ERROR"]
    first, second, third = columns["time_unix_nano"]
    assert before <= first == second < between < third < after
    assert reader.dropped == 0


def test_a_time_of_its_own_wins(reader):
    """It is exact."""
    now = clock.now_ns()
    reader.files["front"].write_text(f"INFO long ago\n{clock.ns_to_iso(now)} INFO exact\n")
    reader.stop()
    assert reader.columns(now, now + 1)["body"] == ["exact"]

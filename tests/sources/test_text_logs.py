"""Lines of loggers of many languages become entries: time, severity, message, ids, and the stack trace below them."""

from __future__ import annotations

import json
import random
import time

import pytest

from pytest_anomod.model.clock import NS_PER_S, iso_to_ns
from pytest_anomod.sources.severity import DEBUG, ERROR, FATAL, INFO, TRACE, WARN
from pytest_anomod.sources.text_logs import MOST_LINES, entries

NOW = iso_to_ns("2026-11-22T04:25:00Z")
TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DATADOG_ID = f"{12345678901234567890:032x}"  # which writes it in decimal


def read(*lines, observed=()):
    return list(entries([line if isinstance(line, bytes) else line.encode() for line in lines], observed))


def one(line, seen=NOW):
    [entry] = read(line, observed=[seen] if seen else ())
    return entry


def at(text):
    return iso_to_ns(f"2026-11-22T{text}")


JSON_LINES = [
    # pino, bunyan
    ({"level": 30, "time": 1795321500123, "pid": 7, "msg": "hi"}, at("04:25:00.123Z"), INFO, "hi", {"pid": 7}),
    ({"level": 60, "time": "2026-11-22T04:25:00.1Z", "msg": "hi", "v": 0}, at("04:25:00.1Z"), FATAL, "hi", {"v": 0}),
    ({"level": 10, "time": 1795321500123, "msg": "hi"}, at("04:25:00.123Z"), TRACE, "hi", {}),
    ({"level": 50, "time": 1795321500123, "msg": "hi"}, at("04:25:00.123Z"), ERROR, "hi", {}),
    # Logback with the Logstash encoder
    (
        {"@timestamp": "2026-11-22T05:25:00.123+01:00", "@version": "1", "message": "hi", "level": "WARN"},
        at("04:25:00.123Z"),
        WARN,
        "hi",
        {"@version": "1"},
    ),
    # Log4j 2
    (
        {"instant": {"epochSecond": 1795321500, "nanoOfSecond": 123456789}, "level": "TRACE", "message": "hi"},
        at("04:25:00.123456789Z"),
        TRACE,
        "hi",
        {},
    ),
    # slog, zerolog, structlog, python-json-logger
    (
        {"time": "2026-11-22T04:25:00.123456789Z", "level": "DEBUG", "msg": "hi"},
        at("04:25:00.123456789Z"),
        DEBUG,
        "hi",
        {},
    ),
    ({"level": "error", "time": 1795321500, "message": "hi"}, at("04:25:00Z"), ERROR, "hi", {}),
    ({"event": "hi", "timestamp": "2026-11-22 04:25:00", "level": "critical"}, at("04:25:00Z"), FATAL, "hi", {}),
    ({"asctime": "2026-11-22 04:25:00,1", "levelname": "WARNING", "message": "hi"}, at("04:25:00.1Z"), WARN, "hi", {}),
    ({"created": "x", "levelno": 40, "message": "hi"}, NOW, ERROR, "hi", {"created": "x"}),
    # Serilog, .NET, GELF, Google
    ({"@t": "2026-11-22T04:25:00.1234567Z", "@mt": "hi", "@l": "Verbose"}, at("04:25:00.1234567Z"), DEBUG, "hi", {}),
    ({"Timestamp": "2026-11-22 04:25:00 ", "LogLevel": "Information", "Message": "hi"}, NOW, INFO, "hi", {}),
    ({"timestamp": 1795321500.123, "level": 3, "short_message": "hi"}, at("04:25:00.123Z"), ERROR, "hi", {}),
    ({"severity": "NOTICE", "message": "hi", "time": "2026-11-22T04:25:00Z"}, at("04:25:00Z"), INFO, "hi", {}),
    # ECS, also nested
    ({"@timestamp": "2026-11-22T04:25:00Z", "log.level": "error", "message": "hi"}, at("04:25:00Z"), ERROR, "hi", {}),
    (
        {"@timestamp": "2026-11-22T04:25:00Z", "log": {"level": "warn", "logger": "a"}, "message": "hi"},
        at("04:25:00Z"),
        WARN,
        "hi",
        {"log.logger": "a"},
    ),
    # OpenTelemetry's own names
    ({"severity_number": 18, "body": "hi", "time_unix_nano": "1795321500000000007"}, NOW + 7, (18, "ERROR"), "hi", {}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "time", "severity", "body", "attributes"), JSON_LINES)
def test_lines_of_json(line, time, severity, body, attributes):
    entry = one(json.dumps(line))
    assert (entry.time_unix_nano, entry.severity, entry.body, entry.attributes) == (time, severity, body, attributes)
    assert type(entry.time_unix_nano) is int


def test_an_epoch_with_nine_decimals_is_exact():
    entry = one('{"level":"info","ts":1795321500.123456789,"msg":"hi","rate":0.25}')  # zap
    assert entry.time_unix_nano == at("04:25:00.123456789Z")
    assert json.dumps(entry.attributes) == '{"rate": 0.25}'


@pytest.mark.parametrize(
    ("line", "trace", "span"),
    [
        ({"msg": "a", "trace_id": TRACE_ID.upper(), "span_id": SPAN_ID}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "traceId": TRACE_ID, "spanId": SPAN_ID}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "trace.id": TRACE_ID, "span.id": SPAN_ID}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "trace": {"id": TRACE_ID}, "span": {"id": SPAN_ID}}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "otelTraceID": TRACE_ID, "otelSpanID": SPAN_ID}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "mdc": {"trace_id": TRACE_ID}}, TRACE_ID, ""),
        ({"msg": "a", "dd.trace_id": "12345678901234567890", "dd.span_id": "255"}, DATADOG_ID, "0" * 14 + "ff"),
        ({"msg": "a", "dd": {"trace_id": TRACE_ID, "span_id": "255"}}, TRACE_ID, "0" * 14 + "ff"),
        ({"msg": "a", "traceId": TRACE_ID[:16]}, "0" * 16 + TRACE_ID[:16], ""),
        ({"msg": "a", "traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}, TRACE_ID, SPAN_ID),
        ({"msg": "a", "trace_id": "0", "span_id": "0"}, "", ""),
        ({"msg": "a", "trace_id": "", "span_id": SPAN_ID}, "", ""),
        ({"msg": "a", "trace_id": "none"}, "", ""),
        ({"msg": "a", "trace_id": None}, "", ""),
    ],
)  # fmt: skip
def test_ids_in_lines_of_json(line, trace, span):
    entry = one(json.dumps(line))
    assert (entry.trace_id, entry.span_id) == (trace, span)


PLAIN_LINES = [
    ("2026-11-22T04:25:00.123Z  INFO 1 --- [main] a.B : began", at("04:25:00.123Z"), INFO, "1 --- [main] a.B : began"),
    ("2026-11-22 04:25:00,123 - shop - WARNING - low", at("04:25:00.123Z"), WARN, "shop - WARNING - low"),
    ("2026-11-22 04:25:00.123456+00:00 [ERROR] gone", at("04:25:00.123456Z"), ERROR, "gone"),
    ("[2026-11-22 04:25:00 +0000] [7] [INFO] Booting worker", at("04:25:00Z"), INFO, "[7] [INFO] Booting worker"),
    ("WARN  [2026-11-22 04:25:00,123] org.shop: low", at("04:25:00.123Z"), WARN, "org.shop: low"),
    ("[2026-11-22T04:25:00Z DEBUG shop::db] asked", at("04:25:00Z"), DEBUG, "shop::db] asked"),
    ("2026/11/22 04:25:00 [error] 7#7: *1 open() failed", at("04:25:00Z"), ERROR, "7#7: *1 open() failed"),
    ("2026/11/22 04:25:00 listening on :8080", at("04:25:00Z"), INFO, "listening on :8080"),
    ('172.18.0.1 - - [22/Nov/2026:05:25:00 +0100] "GET /ERROR HTTP/1.1" 200 5', at("04:25:00Z"), INFO, None),
    ('INFO:     172.18.0.1:5 - "GET / HTTP/1.1" 200 OK', NOW, INFO, None),
    ("info: Microsoft.Hosting.Lifetime[14]", NOW, INFO, None),
    ("fail: Shop.Catalog[0]", NOW, ERROR, None),
    ("E1122 04:25:00.123456       1 main.go:7] gone", NOW, ERROR, None),
    ("\x1b[32mINFO\x1b[0m ready", NOW, INFO, "INFO ready"),
    ("<warn> low", NOW, WARN, None),
    ("there was no error at all", NOW, INFO, "there was no error at all"),
    ("Errors are 0; see docs/ERROR.md", NOW, INFO, None),
    ("level=error is what it said before, really", NOW, INFO, None),
    ("panic: runtime error: index out of range", NOW, FATAL, None),
    ("TypeError: x is not a function", NOW, ERROR, None),
    ("Exception in thread \"main\" java.lang.IllegalStateException: no", NOW, ERROR, None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "time", "severity", "body"), PLAIN_LINES)
def test_plain_lines(line, time, severity, body):
    entry = one(line)
    assert (entry.time_unix_nano, entry.severity) == (time, severity)
    assert entry.body == (line if body is None else body)


@pytest.mark.parametrize(
    ("text", "trace", "span"),
    [
        (f"INFO [shop] trace_id={TRACE_ID} span_id={SPAN_ID} resource.service.name=shop - hi", TRACE_ID, SPAN_ID),
        (f"INFO [shop,{TRACE_ID},{SPAN_ID}] hi", TRACE_ID, SPAN_ID),
        (f"INFO [shop] [{TRACE_ID}-{SPAN_ID}] hi", TRACE_ID, SPAN_ID),
        ("INFO [dd.trace_id=12345678901234567890 dd.span_id=255] hi", DATADOG_ID, "0" * 14 + "ff"),
        (f'INFO traceId: "{TRACE_ID}" hi', TRACE_ID, ""),
        ("INFO trace_id=0 span_id=0 hi", "", ""),
        (f"INFO md5 {TRACE_ID} of the file", "", ""),
        ("INFO trace id of nobody", "", ""),
    ],
)  # fmt: skip
def test_ids_in_plain_lines(text, trace, span):
    entry = one(text)
    assert (entry.trace_id, entry.span_id) == (trace, span)


def test_logfmt():
    entry = one(f'time=2026-11-22T04:25:00Z level=warning msg="sold \\"out\\" now" sku=17 trace_id={TRACE_ID} empty=')
    assert (entry.time_unix_nano, entry.severity, entry.body) == (at("04:25:00Z"), WARN, 'sold "out" now')
    assert (entry.trace_id, entry.attributes) == (TRACE_ID, {"sku": "17", "empty": ""})
    assert one("a=b c=d").body == "a=b c=d"  # nothing says that this is a log line


@pytest.mark.parametrize(
    ("written", "seen", "expected"),
    [
        ("2026-11-22 05:25:00,5", NOW + NS_PER_S, at("04:25:00.5Z")),  # local time, an hour ahead
        ("2026-11-21 22:40:00,5", NOW + NS_PER_S, at("04:25:00.5Z")),  # Nepal's quarter, behind
        ("2026-11-22 04:25:00,5", None, at("04:25:00.5Z")),
        ("2026-11-22T04:20:00Z", NOW, at("04:20:00Z")),  # held back by a buffer
        ("2019-01-01T00:00:00Z", NOW, NOW),  # not when it was written
        ("2026-99-22 04:25:00", NOW, NOW),
    ],
)
def test_times_without_a_zone_and_times_that_can_t_be(written, seen, expected):
    assert one(f"{written} INFO hi", seen).time_unix_nano == expected


def test_times_without_a_zone_may_be_local_times_of_this_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        [entry] = entries([b"2026-11-22 10:10:00 INFO hi"], is_local=True)
        [zoned] = entries([b"2026-11-22 04:25:00Z INFO hi"], is_local=True)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert entry.time_unix_nano == zoned.time_unix_nano == NOW


def test_lines_without_a_time_take_the_engines_or_the_entrys_before():
    assert [entry.time_unix_nano for entry in read("one", "two", observed=[NOW, NOW + 5])] == [NOW, NOW + 5]
    first, second, third = read("no time yet", "2026-11-22 04:25:00 INFO a", "INFO b")
    assert first is None
    assert second.time_unix_nano == third.time_unix_nano == NOW


PYTHON = """\
Traceback (most recent call last):
  File "/app/app.py", line 7, in take
    return STOCK[sku]
           ~~~~~^^^^^
KeyError: 'ERROR'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/app.py", line 9, in take
    raise SoldOut(sku)
app.errors.SoldOut: 17"""
JAVA = """\
java.lang.IllegalStateException: sold out
\tat shop.Orders.take(Orders.java:7)
\t... 12 more
Caused by: java.sql.SQLException: ERROR: timeout
\tat org.postgresql.Driver.connect(Driver.java:1)"""
NODE = """\
/app/server.js:10
    throw new Error("sold out");
    ^

Error: sold out
    at take (/app/server.js:10:11) {
  code: 'E1'
}

Node.js v20.20.2"""
GO = """\
panic: runtime error: index out of range [1] with length 1

goroutine 1 [running]:
main.(*Server).take(0xc000012345, {0x1, 0x2})
\t/app/main.go:10 +0x1d
created by main.main in goroutine 1
\t/app/main.go:5 +0x25
exit status 2"""
TRACES = pytest.mark.parametrize("trace", [PYTHON, JAVA, NODE, GO], ids=["python", "java", "node", "go"])


def squeezed(text):
    return "\n".join(line for line in text.splitlines() if line)


@TRACES
def test_a_trace_that_no_logger_wrote_is_one_entry(trace):
    lines = ["before", *trace.splitlines(), "after"]
    before, entry, after = read(*lines, observed=range(NOW, NOW + len(lines)))
    assert (before.body, after.body) == ("before", "after")
    assert entry.body == squeezed(trace)
    assert entry.severity in (ERROR, FATAL)
    assert (entry.time_unix_nano, entry.line) == (NOW + 1, 1)
    assert after.line == len(lines) - 1


@pytest.mark.parametrize("trace", [PYTHON, JAVA], ids=["python", "java"])
@pytest.mark.parametrize(
    "message",
    ["2026-11-22 04:25:00,1 ERROR failed", '{"level": "error", "msg": "failed"}', "WARN failed", "lvl=err msg=failed"],
)  # fmt: skip
def test_a_trace_belongs_to_the_message_above_it(trace, message):
    lines = [message, *trace.splitlines(), "2026-11-22 04:25:01 INFO next"]
    entry, following = read(*lines, observed=[NOW] * len(lines))
    assert entry.body.endswith("failed\n" + squeezed(trace))
    assert following.body == "next"


def test_a_trace_below_a_message_that_is_no_trouble_is_its_own_entry():
    calm, trouble = read("INFO serving", *JAVA.splitlines(), observed=[NOW] * 10)
    assert (calm.body, calm.severity) == ("INFO serving", INFO)
    assert (trouble.body, trouble.severity) == (squeezed(JAVA), ERROR)


def test_indented_lines_belong_to_the_entry_before_and_padded_levels_do_not():
    framework, padded = read("info: Hosting[14]", "      Now listening on 8080", " WARN low", observed=[NOW] * 3)
    assert framework.body == "info: Hosting[14]\n      Now listening on 8080"
    assert padded.severity == WARN


def test_an_endless_trace_is_cut_and_what_is_left_out_counted():
    lines = ["ERROR a", *(f"\tat x{number}" for number in range(MOST_LINES + 9))]
    [entry] = read(*lines, observed=[NOW] * len(lines))
    assert entry.body.count("\n") == MOST_LINES - 1
    assert entry.attributes == {"log.lines_left_out": 10}


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\t", b"\x1b[", b"\xff\xfe\x00", b"{", b"{}", b'{"a"', b'{"msg": 1}', b'{"msg": "\\ud800"}',
        b'{"time": [], "level": {}, "msg": null, "trace_id": {}, "log": []}', b'{"time": 1e999999, "level": -1}',
        b'{"time": "9999-12-31T23:59:59Z"}', b"0001-01-01 00:00:00 x", b"[" * 100_000, b'{"a":' * 100_000 + b"}",
        b"a=" * 50_000, b'a="' + b"\\" * 50_000, b"(" * 100_000, b"x." * 50_000 + b"!", b"panic: " + b"(" * 100_000,
        b"2026-11-22T" * 9_000,
    ],
)  # fmt: skip
def test_no_line_makes_it_fall(line):
    for options in ({}, {"is_local": True}, {"observed": [NOW]}):
        for entry in entries([line], **options):
            if entry is not None:
                entry.body.encode()
                json.dumps(entry.attributes).encode()


def test_no_lines_make_it_fall():
    """Seeded: lines of all the kinds above, cut, turned and mixed."""
    chance = random.Random(13)
    pool = [json.dumps(line[0]) for line in JSON_LINES] + [line[0] for line in PLAIN_LINES]
    pool += [line for trace in (PYTHON, JAVA, NODE, GO) for line in trace.splitlines()]
    for _ in range(60):
        lines = []
        for text in chance.choices(pool, k=30):
            raw = bytearray(text.encode() or b" ")
            for _ in range(chance.randrange(3)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            lines.append(bytes(raw[: chance.randrange(1, len(raw) + 1)]))
        observed = [NOW + number for number in range(len(lines))]
        found = read(*lines, observed=observed)
        assert None not in found
        numbers = [entry.line for entry in found]
        assert numbers == sorted(set(numbers))
        for entry in found:
            assert type(entry.time_unix_nano) is int
            assert abs(entry.time_unix_nano - NOW) <= 3_601 * NS_PER_S
            assert entry.severity[1] in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
            json.dumps([entry.body, entry.attributes], ensure_ascii=False).encode()

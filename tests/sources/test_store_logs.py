"""The text logs of stores become entries with times, severities and the lines that belong to them."""

from __future__ import annotations

import datetime as dt

from pytest_anomod.sources.store_logs import parse_postgres, parse_redis


def entries(parse, text):
    return list(parse(line.encode() for line in text.splitlines()))


def local_ns(*moment, ms=0):
    return int(dt.datetime(*moment).astimezone().timestamp()) * 10**9 + ms * 10**6


def test_redis_lines_have_local_times_with_milliseconds_and_a_severity_by_their_mark():
    found = entries(
        parse_redis,
        "4711:C 22 Nov 2026 14:25:00.123 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
        "4711:M 22 Nov 2026 14:25:01.004 # WARNING Memory overcommit must be enabled!\n"
        "4711:M 1 Dec 2026 00:00:00.000 . 1 clients connected\n",
    )
    assert [entry.time_unix_nano for entry in found] == [
        local_ns(2026, 11, 22, 14, 25, ms=123),
        local_ns(2026, 11, 22, 14, 25, 1, ms=4),
        local_ns(2026, 12, 1),
    ]
    assert [entry.severity for entry in found] == [(9, "INFO"), (13, "WARN"), (5, "DEBUG")]
    assert found[0].body == "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"
    assert found[0].attributes == {"pid": 4711, "role": "C"}


def test_redis_lines_without_a_head_belong_to_the_entry_before():
    found = entries(
        parse_redis,
        "4711:M 22 Nov 2026 14:25:00.123 * Running mode=standalone\n"
        "       _._\n"
        "\n"
        "  `-._    Port: 6379\n"
        "4711:signal-handler (1795357500) Received SIGTERM scheduling shutdown...\n",
    )
    assert [entry.body for entry in found] == [
        "Running mode=standalone\n_._\n`-._    Port: 6379",
        "Received SIGTERM scheduling shutdown...",
    ]
    assert found[1].time_unix_nano == 1795357500 * 10**9


def test_postgres_lines_have_epoch_times_and_details_become_attributes():
    found = entries(
        parse_postgres,
        "1795357500.123 [88] LOG:  database system is ready to accept connections\n"
        '1795357501.004 [90] ERROR:  relation "x" does not exist at character 15\n'
        "1795357501.004 [90] STATEMENT:  select *\n"
        "\tfrom x\n"
        "\twhere a = 1\n"
        "1795357502.000 [91] FATAL:  too many connections for role\n"
        "1795357503.000 [92] WARNING:  there is no transaction in progress\n",
    )
    assert [(entry.time_unix_nano, entry.severity) for entry in found] == [
        (1795357500123 * 10**6, (9, "INFO")),
        (1795357501004 * 10**6, (17, "ERROR")),
        (1795357502000 * 10**6, (21, "FATAL")),
        (1795357503000 * 10**6, (13, "WARN")),
    ]
    assert found[1].body == 'relation "x" does not exist at character 15'
    assert found[1].attributes == {"pid": 90, "level": "ERROR", "statement": "select *\nfrom x\nwhere a = 1"}


def test_postgres_messages_of_several_lines_are_joined_and_the_usual_prefix_is_read_too():
    found = entries(
        parse_postgres,
        "2026-11-22 14:25:00.123 UTC [7] LOG:  checkpoint starting: time\n\tand more\n"
        "2026-11-22 14:25:01.000 UTC [8] app@social_network ERROR:  deadlock detected\n"
        "2026-11-22 14:25:01.000 UTC [9] DETAIL:  of another process\n",
    )
    assert found[0].body == "checkpoint starting: time\nand more"
    moment = dt.datetime(2026, 11, 22, 14, 25, tzinfo=dt.UTC)
    assert found[0].time_unix_nano == int(moment.timestamp()) * 10**9 + 123 * 10**6
    assert [entry.body for entry in found[1:]] == ["deadlock detected", "of another process"]


def test_lines_that_belong_to_nothing_are_told():
    assert entries(parse_postgres, "\tthe end of something\n1795357500.123 [88] LOG:  ready\n")[0] is None
    assert entries(parse_redis, "half a line\n") == [None]

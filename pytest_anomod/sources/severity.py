"""Severities of logs: words and numbers of many loggers as OpenTelemetry's number and one of six names."""

from __future__ import annotations

from typing import Any

from pytest_anomod.sources.values import integer

Severity = tuple[int, str]
TRACE, DEBUG, INFO, WARN = (1, "TRACE"), (5, "DEBUG"), (9, "INFO"), (13, "WARN")
ERROR, FATAL = (17, "ERROR"), (21, "FATAL")

WORDS: dict[str, Severity] = {
    **dict.fromkeys(("trace", "trce", "trc", "finest", "finer", "silly", "t"), TRACE),
    **dict.fromkeys(("debug", "dbug", "dbg", "fine", "verbose", "vrb", "d"), DEBUG),
    **dict.fromkeys(("info", "inf", "information", "informational", "notice", "config", "log", "i"), INFO),
    **dict.fromkeys(("warn", "warning", "wrn", "w"), WARN),
    **dict.fromkeys(("error", "err", "fail", "severe", "exception", "e"), ERROR),
    **dict.fromkeys(("fatal", "ftl", "critical", "crit", "panic", "dpanic", "alert", "emerg", "emergency"), FATAL),
    **dict.fromkeys(("f", "c"), FATAL),
}
"""By lower-case word, as logging, Logback, zap, Serilog, winston, syslog, glog and java.util.logging write them."""

_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYSLOG = (FATAL, FATAL, FATAL, ERROR, WARN, INFO, INFO, DEBUG)
_PYTHON = ((10, DEBUG), (20, INFO), (30, WARN), (40, ERROR))
_PINO = ((10, TRACE), (20, DEBUG), (30, INFO), (40, WARN), (50, ERROR))


def of_number(number: int, text: object = "") -> Severity:
    """Of OpenTelemetry's numbers 1 to 24; for 0, which says nothing, by the word, else INFO."""
    if 1 <= number <= 24:
        return number, _NAMES[(number - 1) // 4]
    return of_word(text) or INFO


def of_word(word: object) -> Severity | None:
    """Of a word such as WARNING or "Information"."""
    return WORDS.get(word.strip().lower()) if isinstance(word, str) else None


def of_level(level: Any) -> Severity | None:
    """Of what stands under `level` in a structured line: a word, syslog's 0 to 7, or pino's and bunyan's 10 to 60."""
    number = integer(level)
    if number is None:
        return of_word(level)
    if 0 <= number < len(_SYSLOG):
        return _SYSLOG[number]
    return next((severity for bound, severity in _PINO if number <= bound), FATAL)


def of_python(level: Any) -> Severity | None:
    """Of a `levelno` of Python's logging, whose tens mean something else than pino's."""
    number = integer(level)
    return None if number is None else next((severity for bound, severity in _PYTHON if number <= bound), FATAL)

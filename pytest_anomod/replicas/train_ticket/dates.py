"""Dates as the original writes and reads them, in UTC+8, and numbers as Java writes them."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

ZONE = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).astimezone(ZONE)
DEFAULT_TRAVEL_DATE = "1970-01-02 18:17:36"  # 123456789 ms after the epoch

_DATE = re.compile(r"(\d+)-(\d+)-(\d+)")
_MOMENT = re.compile(r"(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)")


def now() -> datetime:
    """The present, in UTC+8."""
    return datetime.now(ZONE)


def now_text() -> str:
    """The present as "yyyy-MM-dd HH:mm:ss"."""
    return text_of(now())


def text_of(moment: datetime) -> str:
    """A moment as "yyyy-MM-dd HH:mm:ss"."""
    return f"{moment.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"


def parse(text: str) -> datetime:
    """A moment from "yyyy-MM-dd HH:mm:ss" or, of ten characters, from "yyyy-MM-dd".

    As lenient as Java: month 13 is January of the next year, what follows the date is ignored; the epoch when it is no
    date at all. TypeError for None, which is a 500 there, too.
    """
    if text is None:
        raise TypeError("a date is missing")
    match = (_DATE if len(text) == 10 else _MOMENT).match(text)
    if match is None:
        return EPOCH
    year, month, day, *clock = (int(part) for part in match.groups())
    hours, minutes, seconds = clock or (0, 0, 0)
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    try:
        first = datetime(year, month, 1, tzinfo=ZONE)
        return first + timedelta(days=day - 1, hours=hours, minutes=minutes, seconds=seconds)
    except (ValueError, OverflowError):
        return EPOCH


def iso_of(moment: datetime) -> str:
    """A Java Date in an answer: ISO in UTC, such as "1970-01-01T00:00:00.000+00:00"."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def java_double(value: float) -> str:
    """A double as Java's text of it: 22.5, 50.0, 1.0E7."""
    value = float(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    rest = "".join(str(digit) for digit in digits[1:]) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{int(exponent) + len(digits) - 1}"


def java_list(items: list[str | None]) -> str:
    """A list as Java's text of it: [a, b]."""
    return f"[{', '.join('null' if item is None else item for item in items)}]"

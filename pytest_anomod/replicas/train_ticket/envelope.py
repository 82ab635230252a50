"""The envelope {status, msg, data} of nearly every answer: 1 is done, 0 is refused, and both go out as HTTP 200."""

from typing import Any

Envelope = dict[str, Any]


def ok(msg: str, data: Any = None) -> Envelope:
    """It was done."""
    return {"status": 1, "msg": msg, "data": data}


def refused(msg: str, data: Any = None) -> Envelope:
    """It was not done, for a reason of the business; callers read it from `status`."""
    return {"status": 0, "msg": msg, "data": data}


def found(data: Any, msg: str, none: str, data_if_none: Any = None) -> Envelope:
    """`ok` with what was looked for, or `refused` when that is None or an empty list."""
    return ok(msg, data) if data is not None and data != [] else refused(none, data_if_none)

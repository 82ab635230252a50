"""Repeats something to a service, in a separate program, until it is told to end or the deployment is gone."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from pytest_anomod.model.errors import AnomodError

PATIENCE = 20  # failed turns in a row, then the deployment is taken for gone
LOOK_EVERY_S = 0.1  # for a process that came back too early


def take_turns(turn: Callable[[], None], *, period_s: float, away_s: float, deadline_s: float) -> None:
    """Call `turn` once every `period_s` seconds, and in the first `away_s` of each again and again.

    Ends at SIGTERM, SIGINT or SIGHUP, after `deadline_s` seconds, or when 20 turns in a row have failed: one alone may
    do so because the process died between question and deed, or because the host is busy.
    """
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    begun = time.monotonic()
    deadline, failures = begun + deadline_s, 0
    while not over.is_set() and time.monotonic() < deadline and failures < PATIENCE:
        try:
            turn()
            failures = 0
        except (AnomodError, TimeoutError):
            failures += 1
        now = time.monotonic()
        if now - begun < away_s:
            over.wait(LOOK_EVERY_S)
        else:
            over.wait(max(LOOK_EVERY_S, begun + period_s - now))
            begun = time.monotonic()

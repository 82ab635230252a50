"""Work that can wait is done elsewhere: its result or its error comes back, and garbage is looked for afterwards."""

from __future__ import annotations

import gc
import os
import sys
import threading

import pytest

from pytest_anomod.model import quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is done as it is")


def test_it_has_low_priority_and_no_collections_and_leaves_none_of_that():
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), gc.isenabled()

    priority, collects = quiet.quietly(work)
    assert priority > before or before > quiet.NICENESS
    assert not collects
    assert gc.isenabled()
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_an_error_is_the_callers_and_collections_go_on():
    with pytest.raises(ZeroDivisionError):
        quiet.quietly(lambda: 1 / 0)
    assert gc.isenabled()


def test_who_wants_no_collections_gets_none_back():
    gc.disable()
    try:
        quiet.quietly(lambda: None)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_libraries_that_are_loaded_meanwhile_are_frugal_and_the_users_settings_stay(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    names = ("OPENBLAS_NUM_THREADS", "ARROW_DEFAULT_MEMORY_POOL")
    assert quiet.quietly(lambda: [os.environ.get(name) for name in names]) == ["1", "mimalloc"]
    assert [os.environ.get(name) for name in names] == [None, "mimalloc"]

"""An inbox of the receiver without its servers."""

from __future__ import annotations

import pytest

from pytest_anomod.sources.otlp.inbox import Inbox


@pytest.fixture
def inbox():
    inbox = Inbox(None)
    yield inbox
    inbox.close()

"""Stash keys of a test's case and of a process's deployments; a separate file, because every suite loads them."""

from __future__ import annotations

from typing import Any

import pytest

case_key = pytest.StashKey[Any]()
"""The Case of a test, in the stash of its item."""
deployments_key = pytest.StashKey[Any]()
"""The Deployments of this process, in the stash of its configuration."""

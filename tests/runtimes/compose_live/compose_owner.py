"""Owns the tiny system and the faults named in its argument, until it is killed (holding.py)."""

from __future__ import annotations

import os
import sys

from holding import hold
from live_system import WHERE, define

from pytest_anomod.runtimes.compose import ComposeRuntime

hold(ComposeRuntime(), define(os.environ[WHERE]), sys.argv[1])

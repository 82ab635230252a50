"""Groups failures in Allure: one category for each verdict, one for changed verdicts, tests without one, errors.

A pattern must hold in Allure 2 (Java, the whole message) and in Allure 3 (JavaScript, anywhere in it), so it says where
the message begins and ends, and uses what both know.
"""

from __future__ import annotations

import re
from typing import Any

from pytest_anomod.checks.judgement import MEANING
from pytest_anomod.model.verdict import Verdict

CHANGED = r"Failed: [^\n]*\): was [a-z]+, is now [a-z]+; the baseline is "
"""How the first line of a verdict that is not the baseline's begins, see run/outcomes.py."""


def categories() -> list[dict[str, Any]]:
    """The categories as Allure's categories.json has them; each failure is in exactly one."""
    found = [
        _category(f"Not as expected, {verdict}: {MEANING[verdict]}", f"{_said(str(verdict))}[\\s\\S]*", "failed")
        for verdict in Verdict
    ]
    any_verdict = _said(f"(?:{'|'.join(re.escape(verdict) for verdict in Verdict)})")
    return [
        *found,
        _category("Changed against the baseline", f"{CHANGED}[\\s\\S]*", "failed"),
        _category("Without a verdict: the test itself failed", f"(?!{any_verdict}|{CHANGED})[\\s\\S]*", "failed"),
        {"name": "Could not be run", "matchedStatuses": ["broken"]},
    ]


def _said(verdict: str) -> str:
    """The first line of checks.explain, behind the exception's name that pytest puts before it."""
    return rf"Failed: [^\n]*\): {verdict}, expected [a-z]+(?:\n|$)"


def _category(name: str, pattern: str, status: str) -> dict[str, Any]:
    return {"name": name, "messageRegex": f"^{pattern}$", "matchedStatuses": [status]}

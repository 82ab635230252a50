"""Scores methods that detect anomalies or rank their causes; its public names are imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_anomod.dataset.evidence import Evidence
    from pytest_anomod.evaluation.method import Method, Ranking
    from pytest_anomod.evaluation.testing import evaluation

_HOMES = {
    "Evidence": "dataset.evidence",
    "Method": "evaluation.method",
    "Ranking": "evaluation.method",
    "evaluation": "evaluation.testing",
}
__all__ = ["Evidence", "Method", "Ranking", "evaluation"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"pytest_anomod.{_HOMES[name]}"), name)

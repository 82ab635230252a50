"""The rules of an audit, a file each; every module here offers one as `RULE`."""

from __future__ import annotations

import importlib
import pkgutil

from pytest_anomod.audit.finding import Rule


def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the names of their files."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}").RULE for name in names)

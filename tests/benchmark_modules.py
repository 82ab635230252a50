"""Programs of benchmarks/ as modules, for tests of what they work out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load(name: str) -> ModuleType:
    """The program benchmarks/NAME.py; it does not run."""
    spec = importlib.util.spec_from_file_location(
        f"benchmarks_{name}", Path(__file__).parents[1] / f"benchmarks/{name}.py"
    )
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module

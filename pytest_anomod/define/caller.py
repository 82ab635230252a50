"""Finds the user's file that calls us: paths in a definition are relative to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def beside_caller(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a path relative to the calling file, the first outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return Path(os.path.normpath(Path(os.path.abspath(frame.f_code.co_filename)).parent / path))

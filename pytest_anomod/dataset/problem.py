"""One thing that is wrong with a dataset."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Where (relative to the dataset's root), what is wrong, with figures, and what to do about it."""

    path: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.path}\n    {self.what}\n    -> {self.todo}"

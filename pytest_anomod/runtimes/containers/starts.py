"""How often containers were started, counted alike by every process that looks: in a file beside the deployment."""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.host import files
from pytest_anomod.runtimes.containers.seen import Seen


class Starts:
    """The engine counts restarts of its own only, and anew after each start by hand; so we count those that we see."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, int]] = {}

    def number(self, seen: Seen) -> int:
        """Which start of the container this is, from 1; the same for all who ask while it is the last one."""
        known = self._known.get(seen.id)
        if known is not None and known[0] == seen.started_at:
            return known[1]
        if not self._path.parent.is_dir():
            return 1
        with files.edited(self._path) as rows:
            row = rows.get(seen.id) or {"started_at": "", "restarts": 0, "number": 0}
            if row["started_at"] != seen.started_at:
                # those that nobody saw, as they were over at once
                missed = max(0, seen.restart_count - row["restarts"] - 1) if row["number"] else 0
                row = {
                    "started_at": seen.started_at, "restarts": seen.restart_count, "number": row["number"] + 1 + missed
                }  # fmt: skip
                rows[seen.id] = row
        self._known[seen.id] = row["started_at"], row["number"]
        return int(row["number"])

"""Distributes scenarios to xdist's workers: a worker stays with a system while it has scenarios left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdist.scheduler import LoadScheduling

AHEAD = 2
"""Items a worker holds: the one it runs and the next, without which it does not begin. All others are still to give."""

Need = Sequence[Any]
"""Name of the system of a scenario, and whether its fault wants the whole host."""


class SystemScheduling(LoadScheduling):
    """xdist's load scheduling, except that scenarios go, one at a time, to workers whose system they need.

    A worker without a system, or whose system has no scenario left, takes the system with most scenarios left for each
    worker that it would then have: so workers spread at first, and so the last scenarios are distributed. Scenarios
    that want the whole host are not given to two workers at once while there is anything else to do. `needs` is asked
    for what items need once all workers have collected; without scenarios this is load scheduling.
    """

    def __init__(self, config: Any, log: Any, needs: Callable[[], Mapping[str, Need]]) -> None:
        super().__init__(config, log)
        self._ask = needs
        self._needs: Mapping[str, Need] = {}
        self._items: list[str] = []
        self._system: dict[Any, str] = {}

    def schedule(self) -> None:
        """Share the first items out once all workers have collected; later, look after workers that were added."""
        is_first = not self._items
        if is_first:
            self._needs = self._ask()
        if not self._needs:
            super().schedule()
            return
        if is_first:
            if not self._check_nodes_have_same_collection():
                self.log("**Different tests collected, aborting run**")
                return
            self.collection = self._items = list(next(iter(self.node2collection.values())))
            self.pending[:] = range(len(self._items))
        for held in range(1, AHEAD + 1):
            for node in self.nodes:
                self._fill(node, held)
        for node in self.nodes:
            self.check_schedule(node)

    def check_schedule(self, node: Any, duration: float = 0) -> None:
        """Give a worker what it can hold; when nothing is left to give, it ends after what it has."""
        if not self._needs:
            super().check_schedule(node, duration)
        elif not node.shutting_down:
            self._fill(node, AHEAD)
            if not self.pending:
                node.shutdown()

    def _fill(self, node: Any, held: int) -> None:
        while self.pending and not node.shutting_down and len(self.node2pending[node]) < held:
            index = self._choose(node)
            self.pending.remove(index)
            self.node2pending[node].append(index)
            self._system[node] = self._need(index)[0]
            node.send_runtest_some([index])

    def _choose(self, node: Any) -> int:
        """The first item of the worker's system, or of the one it should change to, that need not wait for the host."""
        left = Counter(self._need(index)[0] for index in self.pending)
        system = self._system.get(node)
        if system not in left:
            others = Counter(self._system[other] for other in self.nodes if other is not node and other in self._system)
            system = max(left, key=lambda name: left[name] / (1 + others[name]))
        mine = [index for index in self.pending if self._need(index)[0] == system]
        host_is_taken = any(
            self._need(index)[1] for other in self.nodes if other is not node for index in self.node2pending[other]
        )
        free = [index for index in mine if not self._need(index)[1]] if host_is_taken else mine
        return (free or mine)[0]

    def _need(self, index: int) -> Need:
        """What an item needs; an ordinary test needs no system, which is a system here like any other."""
        return self._needs.get(self._items[index], ("", False))

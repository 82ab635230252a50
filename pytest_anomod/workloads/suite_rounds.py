"""Decides which tests of a suite a round plays, and in which order: enough that reach the target, and not too long."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from pytest_anomod.model.fault import Json

LEAST_SHARE = 1 / 3
"""Of the plays of a round at least so many are of tests that reach the target."""
REFERENCE_S = 60.0
"""How long the reference round may last; tests that it never came to are left out of the case."""
ROUNDS_IN_A_WINDOW = 5
"""A round takes at most a window's length divided by this: then every window sees the same mix."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One test as the reference round saw it: `seconds` without the wait for its turn, whether it `reaches` the target.

    `is_good`: a request of it that reached the target got an answer that a user wishes. `gets_errors`: some answer of
    it was an error, which is meant then.
    """

    test: str
    seconds: float
    reaches: bool = False
    is_good: bool = False
    gets_errors: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What each round plays: tests by node id, `reaching` the target and `others`; a test may stand there twice."""

    reaching: tuple[str, ...]
    others: tuple[str, ...]
    seconds: float
    """How long such a round takes while all is well."""

    @property
    def plays(self) -> int:
        """Test runs in a round."""
        return len(self.reaching) + len(self.others)

    @property
    def share(self) -> float:
        """The part of the plays that reach the target."""
        return len(self.reaching) / self.plays

    def to_json(self) -> dict[str, Json]:
        """As JSON, for the process that plays."""
        return {"reaching": list(self.reaching), "others": list(self.others)}


def choose(looked: Sequence[Looked], *, window_s: float, rate_rps: float, seed: int | str) -> Rounds:
    """A round that fits a fifth of a window: all tests if they do, else a part that the seed draws.

    Tests that reach the target get the share that they have in the suite, LEAST_SHARE at least, for which they are
    played more than once if need be. Those come first that get there with an answer that a user wishes. Where none
    reaches it (or nobody knows) all are alike. ValueError for no tests.
    """
    if not looked:
        msg = "a round needs at least one test"
        raise ValueError(msg)
    costs = {one.test: max(one.seconds, 1 / rate_rps) for one in looked}
    order = Random(f"{seed} rounds").sample(looked, len(looked))
    reaching = [one.test for one in sorted(order, key=lambda one: not one.is_good) if one.reaches]
    others = [one.test for one in order if not one.reaches]
    share = max(LEAST_SHARE, len(reaching) / len(looked)) if reaching else 0.0
    budget_s = window_s / ROUNDS_IN_A_WINDOW
    chosen: tuple[list[str], list[str]] = ([], [])
    spent_s = 0.0
    for test, reaches in _wanted(reaching, others, share):
        if spent_s + costs[test] > budget_s and chosen[0 if reaching else 1]:
            continue
        chosen[0 if reaches else 1].append(test)
        spent_s += costs[test]
    return _balanced(Rounds(reaching=tuple(chosen[0]), others=tuple(chosen[1]), seconds=spent_s), costs, share)


def shuffled(reaching: Sequence[str], others: Sequence[str], random: Random) -> list[str]:
    """A round in an order of its own, in which both kinds are spread evenly: a part of it has nearly the same share."""
    placed = [
        ((place + random.random()) / len(kind), test)
        for kind in (reaching, others)
        for place, test in enumerate(random.sample(kind, len(kind)))
    ]
    return [test for _, test in sorted(placed)]


def _wanted(reaching: Sequence[str], others: Sequence[str], share: float) -> Iterator[tuple[str, bool]]:
    """Tests in the order in which they are wanted, until each was there; who reaches the target begins anew if need be.

    At every place so far `share` of them, or the one more that it takes, reach the target.
    """
    taken, ahead = 0, 0
    while ahead < len(others) or taken < len(reaching):
        due = reaching and (taken < share * (taken + ahead + 1) or ahead == len(others))
        if due:
            yield reaching[taken % len(reaching)], True
            taken += 1
        else:
            yield others[ahead], False
            ahead += 1


def _balanced(rounds: Rounds, costs: Mapping[str, float], share: float) -> Rounds:
    """Without the last of the other tests, until `share` is kept: short ones may have fitted where others did not."""
    others = list(rounds.others)
    while others and len(rounds.reaching) < share * (len(rounds.reaching) + len(others)) - 1e-9:
        others.pop()
    gone_s = sum(costs[test] for test in rounds.others[len(others) :])
    return dataclasses.replace(rounds, others=tuple(others), seconds=rounds.seconds - gone_s)

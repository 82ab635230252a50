"""The friendship graph the stores are seeded with: 962 users, 18,812 undirected edges, the degrees of socfb-Reed98.

The original data set is not copied; only its published figures are met: mean degree 39.11, largest degrees 313 (user
678), 213 (user 872) and 211 (user 888), 33 for user 466, none below 1, no self loops, no edge twice.
"""

import math
import random

NODES = 962
EDGES = 18_812

KNOWN_DEGREES = {678: 313, 872: 213, 888: 211, 466: 33}
# pairs that a well-known request suite follows and unfollows; they are no edges of the original either
ABSENT_EDGES = frozenset({(941, 95), (703, 385)})


def edges(seed: int) -> list[tuple[int, int]]:
    """The edges in a seeded random order, larger id first; equal seeds give equal lists."""
    rng = random.Random(seed)
    stubs = [node for node, degree in enumerate(degrees(rng)) for _ in range(degree)]
    rng.shuffle(stubs)
    half = len(stubs) // 2
    return _repaired(list(zip(stubs[:half], stubs[half:], strict=True)), rng)


def degrees(rng: random.Random) -> list[int]:
    """One degree per user id, summing to twice the number of edges."""
    free = [node for node in range(NODES) if node not in KNOWN_DEGREES]
    rng.shuffle(free)
    wanted = _tail(len(free), 2 * EDGES - sum(KNOWN_DEGREES.values()))
    by_node = dict(zip(free, wanted, strict=True)) | KNOWN_DEGREES
    return [by_node[node] for node in range(NODES)]


def _tail(count: int, total: int, largest: int = 205) -> list[int]:
    """Quantiles of an exponential law, which Reed98 is close to, adjusted by single steps to the wanted total."""
    mean = total / count
    shape = [min(largest, max(1, round(-mean * math.log(1 - (rank + 0.5) / count)))) for rank in range(count)]
    surplus = total - sum(shape)
    step = 1 if surplus > 0 else -1
    # the middle of the ranks takes the steps: there one edge more or less changes the shape least
    middle = range(count // 3, count - 10)
    while surplus:
        for rank in middle[: abs(surplus)]:
            shape[rank] += step
            surplus -= step
    return shape


def _repaired(pairs: list[tuple[int, int]], rng: random.Random) -> list[tuple[int, int]]:
    """Pairs made simple: self loops, double edges and the absent edges swap ends with random good edges."""
    taken: set[tuple[int, int]] = set()
    good: list[tuple[int, int]] = []
    bad: list[tuple[int, int]] = []
    for a, b in pairs:
        edge = _ordered(a, b)
        if _usable(edge, taken):
            taken.add(edge)
            good.append(edge)
        else:
            bad.append((a, b))
    for a, b in bad:
        index, first, second = _swap(a, b, good, taken, rng)
        taken.remove(good[index])
        taken.update((first, second))
        good[index] = first
        good.append(second)
    return good


def _swap(
    a: int, b: int, good: list[tuple[int, int]], taken: set[tuple[int, int]], rng: random.Random
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """An edge (c, d) such that (a, c) and (b, d) are both free: its index and the two new edges."""
    while True:
        index = rng.randrange(len(good))
        c, d = good[index]
        if rng.random() < 0.5:
            c, d = d, c
        first, second = _ordered(a, c), _ordered(b, d)
        if first != second and _usable(first, taken) and _usable(second, taken):
            return index, first, second


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a > b else (b, a)


def _usable(edge: tuple[int, int], taken: set[tuple[int, int]]) -> bool:
    return edge[0] != edge[1] and edge not in taken and edge not in ABSENT_EDGES

"""Paths of steps: the way of most bad answers, nothing that is not proven, no circles."""

from __future__ import annotations

from pytest_anomod.model.propagation import USER, Hop, Known, Propagation

YES, NO, UNKNOWN = Known.YES, Known.NO, Known.UNKNOWN
ROOT = Hop(hop=0, cause=None, service="db", propagated=YES, why="")


def step(hop: int, cause: str, service: str, known: Known = YES, *, weight: int = 1, effect: str = "errors") -> Hop:
    return Hop(hop=hop, cause=cause, service=service, propagated=known, why="", weight=weight, effect=effect)


def spread(*hops: Hop) -> Propagation:
    return Propagation(root="db", hops=(ROOT, *hops))


def test_the_path_is_the_way_of_most_bad_answers():
    found = spread(
        step(1, "db", "a", weight=3), step(1, "db", "b", weight=9), step(2, "a", "gate", weight=3),
        step(2, "b", "gate", weight=8), step(3, "gate", USER),
    )  # fmt: skip
    assert found.path == ("db", "b", "gate", USER)
    assert found.affected == ("db", "a", "b", "gate")


def test_only_what_is_proven_is_on_a_path():
    found = spread(step(1, "db", "a"), step(2, "a", "gate", UNKNOWN, weight=99), step(3, "gate", USER, UNKNOWN))
    assert found.path == ("db", "a")
    assert (found.unknown, found.reaches_user) == (("gate",), UNKNOWN)


def test_who_is_only_asked_less_is_not_affected():
    assert spread(step(1, "db", "idle", effect="load")).affected == ("db",)


def test_services_that_call_each_other_lead_to_no_circle():
    """The heaviest step into each of the two comes from the other."""
    found = spread(
        step(1, "db", "a"), step(2, "a", "b"), step(2, "b", "a", weight=50), step(2, "a", "b", weight=50),
        step(3, "b", USER), step(3, "a", "c"), step(4, "c", "b", weight=90),
    )  # fmt: skip
    assert found.path[0] == "db"
    assert found.path[-1] == USER
    assert len(set(found.path)) == len(found.path)


def test_a_fault_that_was_not_in_has_no_path():
    gone = Hop(hop=0, cause=None, service="db", propagated=NO, why="")
    assert Propagation(root="db", hops=(gone,)).path == ()
    assert Propagation().path == ()


def test_without_impact_users_were_not_reached():
    assert spread(step(1, "db", USER, NO)).reaches_user is NO
    assert Propagation().reaches_user is None

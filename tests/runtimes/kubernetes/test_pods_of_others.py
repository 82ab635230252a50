"""Pods of a system that is not ours: what may be done to them is what its owner allows."""

from __future__ import annotations

import types

import pytest

from pytest_anomod.runtimes.kubernetes.others import WorkloadPods


@pytest.mark.parametrize(
    ("ours", "allow", "replaceable"),
    [(True, [], True), (False, [], False), (False, ["stop_service"], False), (False, ["kill_service"], True)],
)
def test_pods_may_be_replaced_where_they_are_ours_or_may_be_killed(ours, allow, replaceable):
    row = {"labels": {"app": "cart"}, "container": "cart", "inner": ["10.0.0.9", 80]}
    deployment = types.SimpleNamespace(
        ref={"place": {}, "ours": ours}, document={"allow": allow}, namespace="shop", described=lambda _: row
    )
    assert WorkloadPods(deployment, "cart").where().replaceable is replaceable

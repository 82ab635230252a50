"""Why a pod does not run: one line for each thing that happens to people."""

from __future__ import annotations

import pytest

from pytest_anomod.runtimes.kubernetes.trouble import FATAL, why_not_running


def waiting(reason, message="", **more):
    container = {
        "name": "main",
        "image": "shop:1",
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }
    return {"status": {"phase": "Pending", "containerStatuses": [container]}}


PENDING = {
    "status": {
        "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
        ]
    }
}
EVICTED = {"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}}
CRASHED = {"terminated": {"exitCode": 3}}


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (PENDING, "pending: 0/1 nodes are available: 1 Insufficient cpu."),
        (EVICTED, "evicted by its node: The node was low on resource: memory."),
        (
            waiting("ImagePullBackOff", "not found\nand more"),
            "its image can't be pulled (shop:1): ImagePullBackOff: not",
        ),
        (waiting("ErrImageNeverPull"), "its image is not on the node (shop:1)"),
        (
            waiting("CreateContainerConfigError", "secret not found"),
            "can't be made: CreateContainerConfigError: secret",
        ),
        (
            waiting("CrashLoopBackOff", lastState=CRASHED),
            "again and again: CrashLoopBackOff: no reason is given, with code 3",
        ),
    ],
)
def test_what_is_in_the_way_is_said_in_one_line(pod, said):
    """The reason, and the cluster's own words."""
    line = why_not_running(pod)
    assert said in line
    assert "\n" not in line


def test_a_container_killed_for_its_limit_is_told_from_one_that_ended():
    """What the kernel did is no code of the program's own."""
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    pod = {"status": {"containerStatuses": [{"name": "main", "state": ended}]}}
    assert why_not_running(pod) == "it ended, killed by the kernel for its memory limit"


def test_a_pod_in_the_making_has_nothing_in_its_way():
    """A container that is being made may take its time; one whose image is missing will not come."""
    assert why_not_running(waiting("ContainerCreating")) == ""
    assert why_not_running(waiting("ErrImagePull")).startswith(FATAL)

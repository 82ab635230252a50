"""SocialNetwork, performance level: one service, and no other, is short of CPU, network or disk."""

from pytest_anomod import OpenLoop, Verdict, anomaly
from pytest_anomod.faults import CpuContention, DiskStress, NetworkLoss


@anomaly(system="social_network", fault=CpuContention(), target="home-timeline-service")
def test_perf_cpu_contention(case):
    """Home timelines, the busiest service, compete for a fifth of a core."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="social_network", fault=NetworkLoss(percent=50), target="post-storage-service")
def test_perf_network_loss(case):
    """Half of the packets to and from post storage, which every read passes through, are lost and sent again."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


WRITERS = OpenLoop(mix={"read-home-timeline": 0.4, "read-user-timeline": 0.2, "compose-post": 0.4})
"""Only what is written waits for the disk: more of the users post."""


@anomaly(system="social_network", fault=DiskStress(), target="post-storage-mongodb", workload=WRITERS)
def test_perf_disk_io_stress(case):
    """The disk below the post store is kept busy while the store waits for it at every commit."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()

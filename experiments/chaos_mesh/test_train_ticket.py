"""TrainTicket: AnoMod's nine manifests of Chaos Mesh as scenarios, each with the defect of its manifest taken out.

They run where Chaos Mesh is, by name (pytest experiments/chaos_mesh); what it can't do on the nodes there is skipped.
So are three that do nothing to the replica's own pods, which have no limits and ask no DNS server.
"""

from pytest_anomod import anomalies, scenario
from pytest_anomod.faults import (
    CpuContention,
    DatabaseMemoryLimit,
    DiskStress,
    DnsFailure,
    HttpAbort,
    KillService,
    NetworkDelay,
    NetworkLoss,
)

PRESERVE, MYSQL = "ts-preserve-service", "tsdb-mysql"
ORDERS = ("ts-order-service", "ts-order-other-service")
MADE_TRUE = (
    ("lv_p_cpu_preserve", CpuContention(burners=2), PRESERVE),
    # theirs wrote to the disk of Chaos Mesh's daemon
    ("lv_p_diskio_preserve", DiskStress(stall_ms=300), PRESERVE),
    ("lv_p_netloss_preserve", NetworkLoss(percent=90), PRESERVE),
    ("lv_s_dnsfail_preserve_no_order", DnsFailure(peers=ORDERS), PRESERVE),
    # theirs closed connections, of all requests, and never sent its 503
    ("lv_s_httpabort_preserve", HttpAbort(percent=100, path="/api/v1/preserveservice/"), PRESERVE),
    # theirs remembers nothing of its children, for which a Schedule may stop by itself
    ("lv_s_killpod_preserve", KillService(period_s=3), PRESERVE),
    # theirs takes 85 % of the node's memory, if that is what its program sees; here of what the container has free
    ("lv_d_cachelimit", DatabaseMemoryLimit(percent_of_used=15), MYSQL),
    # theirs delays what three services send to the database by 8 s, and what it sends to four by 15 s
    ("lv_d_connection_pool_exhaustion", NetworkDelay(delay_ms=4_000, jitter_ms=1_000), MYSQL),
    ("lv_d_transaction_timeout", NetworkDelay(delay_ms=7_500, jitter_ms=2_500), MYSQL),
)


@anomalies(
    scenario(system="train_ticket", fault=fault, target=target, name=name, injector="chaos_mesh", expects="any")
    for name, fault, target in MADE_TRUE
)
def test_manifest(case):
    """One of the nine."""
    case.run()

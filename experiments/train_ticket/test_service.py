"""TrainTicket, service level: preserve can't resolve the order services, refuses requests, is killed repeatedly."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import DnsFailure, HttpAbort, KillService


@anomaly(
    system="train_ticket",
    fault=DnsFailure(peers=("ts-order-service", "ts-order-other-service")),
    target="ts-preserve-service",
)
def test_lv_s_dnsfail_preserve_no_order(case):
    """To preserve, and to nobody else, the order services don't exist: all is found and nothing can be booked."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(
    system="train_ticket",
    fault=HttpAbort(percent=70, status=503, method="POST", path="/api/v1/preserveservice/"),
    target="ts-preserve-service",
)
def test_lv_s_httpabort_preserve(case):
    """Seven requests in ten to preserve (not seven instances of it in ten) are answered 503 before they reach it."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="train_ticket", fault=KillService(period_s=3, away_s=1.5), target="ts-preserve-service")
def test_lv_s_killpod_preserve(case):
    """Preserve is killed every three seconds, and as a pod would takes its time to come back; then bookings go on."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()

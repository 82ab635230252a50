"""TrainTicket, performance level: booking, the longest of all calls, short of CPU, disk or network."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import CpuContention, DiskStress, NetworkLoss


# few bookings a second: a tenth of a core, so that hardly one of them gets through between two stops
@anomaly(system="train_ticket", fault=CpuContention(duty_ms=10), target="ts-preserve-service")
def test_lv_p_cpu_preserve(case):
    """Preserve, which leads ten other services through every booking, competes for a tenth of a core."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


# preserve has no table of its own: all that it writes are its log and spans. A busy disk can only hurt it if it waits
# for those, so they are such as may not lose a line, in the baseline too
@anomaly(system="train_ticket", fault=DiskStress(), target="ts-preserve-service")
def test_lv_p_diskio_preserve(case):
    """The disk below preserve is kept busy while it waits for it at every write of log and spans; nobody else does."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="train_ticket", fault=NetworkLoss(percent=90), target="ts-preserve-service")
def test_lv_p_netloss_preserve(case):
    """Nine packets in ten to and from preserve are lost; most users give up before their booking gets through."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()

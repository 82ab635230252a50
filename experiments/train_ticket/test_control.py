"""TrainTicket, nothing broken: the control that shows what the checks find when there is nothing to find."""

from pytest_anomod import Verdict, anomaly


@anomaly(system="train_ticket")
def test_normal_case(case):
    """The workload alone; a finding here would be a false alarm."""
    result = case.run()
    assert result.verdict is Verdict.NORMAL, result.explain()

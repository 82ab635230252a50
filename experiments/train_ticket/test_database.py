"""TrainTicket, database level: memory that runs out, a pool that is used up, transactions that time out; all real."""

from pytest_anomod import Verdict, anomaly
from pytest_anomod.faults import DatabaseMemoryLimit, PoolExhaustion, TransactionTimeout


@anomaly(system="train_ticket", fault=DatabaseMemoryLimit(), target="tsdb-mysql")
def test_lv_d_cachelimit(case):
    """The database's sessions get a quarter of the memory they had taken: large statements run out of it."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="train_ticket", fault=PoolExhaustion(), target="ts-order-service", level="database")
def test_lv_d_connection_pool_exhaustion(case):
    """The order service's connections are all taken and none comes back: who needs an order waits, and then fails."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()


@anomaly(system="train_ticket", fault=TransactionTimeout(tables=("orders", "orders_other")), target="tsdb-mysql")
def test_lv_d_transaction_timeout(case):
    """A long transaction keeps the tables of orders from being written: new orders wait for it until they time out."""
    result = case.run()
    assert result.verdict is Verdict.EFFECTIVE, result.explain()

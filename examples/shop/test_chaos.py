"""The shop under fifteen faults and none: what each of its six services does to customers when it is not well.

A test passes when its case is proven: the fault was seen in its target, customers felt it, and everything healed. Where
customers shall not feel it, `expects="tolerated"` says so.
"""

from pytest_anomod import anomaly
from pytest_anomod.faults import (
    CpuContention,
    DnsFailure,
    HttpAbort,
    HttpDelay,
    KillService,
    MemoryPressure,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
    PauseService,
    RedisMemoryLimit,
    StopService,
    TransactionTimeout,
)


@anomaly(system="shop")
def test_nothing(case):
    """Nothing is broken: whatever is found here is a false alarm."""
    case.run()


@anomaly(system="shop", fault=KillService(), target="pricing")
def test_pricing_is_killed(case):
    """Pricing dies again and again; without quotes there are no orders."""
    case.run()


@anomaly(system="shop", fault=PauseService(), target="orders")
def test_orders_hangs(case):
    """Orders takes connections and answers none; the gateway gives up after two seconds."""
    case.run()


@anomaly(system="shop", fault=StopService(), target="catalog")
def test_catalog_is_stopped(case):
    """Nothing can be looked at or bought."""
    case.run()


@anomaly(system="shop", fault=CpuContention(duty_ms=10), target="catalog")
def test_catalog_lacks_cpu(case):
    """Catalog competes for a tenth of a core."""
    case.run()


@anomaly(system="shop", fault=MemoryPressure(spare_mb=96, outcome="kill"), target="catalog")
def test_catalog_runs_out_of_memory(case):
    """The kernel kills catalog for want of memory, and again when it is back."""
    case.run()


@anomaly(system="shop", fault=NetworkLoss(percent=30), target="catalog")
def test_catalog_loses_packets(case):
    """A third of the packets to and from catalog are lost and sent again."""
    case.run()


@anomaly(system="shop", fault=NetworkDelay(delay_ms=100), target="orders")
def test_orders_is_far_away(case):
    """Each packet to and from orders takes 0.1 s longer."""
    case.run()


@anomaly(system="shop", fault=NetworkBandwidth(rate_kbit=64), target="catalog")
def test_catalog_has_a_narrow_line(case):
    """Eight kilobytes a second are hardly what catalog's answers need."""
    case.run()


@anomaly(system="shop", fault=NetworkPartition(peers=("pricing",)), target="orders")
def test_orders_is_cut_off_from_pricing(case):
    """Both are well, and no packet passes between them."""
    case.run()


@anomaly(system="shop", fault=DnsFailure(peers=("catalog",)), target="gateway")
def test_gateway_does_not_find_catalog(case):
    """For the gateway alone the name `catalog` does not exist."""
    case.run()


@anomaly(system="shop", fault=HttpAbort(percent=50, method="POST", path="/orders"), target="orders")
def test_orders_refuses_requests(case):
    """Every other order is answered with 503 before orders sees it."""
    case.run()


@anomaly(system="shop", fault=HttpDelay(percent=70, method="GET", path="/products"), target="catalog")
def test_catalog_is_slow_to_answer(case):
    """Most looks at a product take half a second longer; sales don't."""
    case.run()


@anomaly(system="shop", fault=PauseService(), target="cache")
def test_cache_hangs(case):
    """Quotes can't be kept, and each order waits a second to learn that."""
    case.run()


@anomaly(system="shop", fault=RedisMemoryLimit(percent_of_used=50), target="cache")
def test_cache_is_full(case):
    """Redis refuses writes; without quotes there are no orders."""
    case.run()


@anomaly(system="shop", fault=TransactionTimeout(tables=("products",)), target="db")
def test_db_locks_products(case):
    """Somebody holds the products' table: reads go on, sales time out."""
    case.run()

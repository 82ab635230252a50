"""One fault, one file: its parameters, its injection, the probe that sees it, its recovery."""

from pytest_anomod.faults.code_delay import CodeDelay
from pytest_anomod.faults.code_exception import CodeException
from pytest_anomod.faults.code_return import CodeReturn
from pytest_anomod.faults.connection_pool_exhaustion import PoolExhaustion
from pytest_anomod.faults.cpu_contention import CpuContention
from pytest_anomod.faults.database_memory_limit import DatabaseMemoryLimit
from pytest_anomod.faults.disk_stress import DiskStress
from pytest_anomod.faults.disk_throttle import DiskThrottle
from pytest_anomod.faults.dns_failure import DnsFailure
from pytest_anomod.faults.http_abort import HttpAbort
from pytest_anomod.faults.http_delay import HttpDelay
from pytest_anomod.faults.kill_service import KillService
from pytest_anomod.faults.memory_pressure import MemoryPressure
from pytest_anomod.faults.network_bandwidth import NetworkBandwidth
from pytest_anomod.faults.network_delay import NetworkDelay
from pytest_anomod.faults.network_loss import NetworkLoss
from pytest_anomod.faults.network_partition import NetworkPartition
from pytest_anomod.faults.no_fault import NoFault
from pytest_anomod.faults.pause_service import PauseService
from pytest_anomod.faults.redis_memory_limit import RedisMemoryLimit
from pytest_anomod.faults.stop_service import StopService
from pytest_anomod.faults.transaction_timeout import TransactionTimeout

__all__ = [
    "CodeDelay",
    "CodeException",
    "CodeReturn",
    "CpuContention",
    "DatabaseMemoryLimit",
    "DiskStress",
    "DiskThrottle",
    "DnsFailure",
    "HttpAbort",
    "HttpDelay",
    "KillService",
    "MemoryPressure",
    "NetworkBandwidth",
    "NetworkDelay",
    "NetworkLoss",
    "NetworkPartition",
    "NoFault",
    "PauseService",
    "PoolExhaustion",
    "RedisMemoryLimit",
    "StopService",
    "TransactionTimeout",
]

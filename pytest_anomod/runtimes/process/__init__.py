"""The runtime `process`: a replica's services and stores as plain processes of this machine, without containers."""

from pytest_anomod.runtimes.process.runtime import OFFERS, ProcessRuntime

__all__ = ["OFFERS", "ProcessRuntime"]

"""The runtime that needs no containers: a replica's services and stores as plain processes of this machine."""

from pytest_anomod.runtimes.process.runtime import OFFERS, ProcessRuntime

__all__ = ["OFFERS", "ProcessRuntime"]

"""The runtime `running`: a system that runs already and is not ours; it is never taken down, every change is undone."""

from pytest_anomod.runtimes.running.runtime import OFFERS, RunningRuntime

__all__ = ["OFFERS", "RunningRuntime"]

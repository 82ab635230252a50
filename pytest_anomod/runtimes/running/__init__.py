"""The runtime for a system that runs already and is not ours: it is never taken down, and all is put back."""

from pytest_anomod.runtimes.running.runtime import OFFERS, RunningRuntime

__all__ = ["OFFERS", "RunningRuntime"]

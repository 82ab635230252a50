"""The runtime `compose`: systems by their compose files, several side by side, under project names of ours."""

from pytest_anomod.runtimes.compose.runtime import OFFERS, ComposeRuntime

__all__ = ["OFFERS", "ComposeRuntime"]

"""The runtime for systems of other people: their compose files, brought up beside each other under names of ours."""

from pytest_anomod.runtimes.compose.runtime import OFFERS, ComposeRuntime

__all__ = ["OFFERS", "ComposeRuntime"]

"""The system that the tests of runtimes bring up: two services, a store and a cache."""

from pytest_anomod.model.system import Replica, System

DEMO = System(name="demo", services=(), entry="front", journeys=(), deploys=(Replica(package="demo.system"),))

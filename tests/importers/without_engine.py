"""A machine without a container engine or a cluster, wherever the tests run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from pytest_anomod.importers import fit


@contextlib.contextmanager
def no_container_engine() -> Iterator[None]:
    """Runtimes of containers are not there meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        absent = {**dict.fromkeys(fit.CONTAINERS, "no engine answers"), "kubernetes": "there is no kubeconfig"}
        patch.setattr(fit, "_absent", lambda name: absent.get(name, ""))
        yield

"""The tests of the host meet no locks, leases and port blocks of whoever runs them."""

from owners import _private_state  # noqa: F401

"""The tests of safety have sessions of their own, and owners to kill."""

from owners import _private_state, bystander, owner, session  # noqa: F401

"""Runnable re-implementations of the two systems; an island that meets the rest over HTTP and `python -m`."""

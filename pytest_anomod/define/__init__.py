"""Defines a team's own services as a system, by one call in a conftest.py."""

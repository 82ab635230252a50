"""One line in a conftest.py that makes a team's own services a system."""

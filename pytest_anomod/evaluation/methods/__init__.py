"""Baselines, one file each: a file offers methods in OFFERS, third parties in the group `pytest_anomod.methods`."""

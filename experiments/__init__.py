"""Scenarios by system, one pytest test each; packages, so that files of two systems may have the same name."""

"""Chaos tests under pytest: every scenario a test, every test a proven, labelled dataset case."""

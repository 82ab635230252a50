"""A run of pytest with cases: its options, checks before it starts, deployments, the making of a case."""

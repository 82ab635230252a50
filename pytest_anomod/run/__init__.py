"""A run of pytest with cases in it: its options, whether it can be, which deployments are up, how a case is made."""

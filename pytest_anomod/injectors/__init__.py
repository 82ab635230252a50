"""Who carries a fault out: one injector, one file."""

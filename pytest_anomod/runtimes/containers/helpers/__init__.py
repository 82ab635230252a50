"""Programs that run by themselves, with nothing but the standard library."""

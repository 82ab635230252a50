"""Programs that run by themselves, with nothing but the standard library, so that they start at once."""

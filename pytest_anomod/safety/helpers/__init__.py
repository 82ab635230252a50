"""The guardian's program: it runs by itself, with nothing but the standard library, so that it starts at once."""

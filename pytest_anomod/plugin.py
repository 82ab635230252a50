"""Nothing is registered yet."""

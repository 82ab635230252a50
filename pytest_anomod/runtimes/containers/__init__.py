"""Facts and capabilities of any Linux container, whoever started it and whatever is in its image."""

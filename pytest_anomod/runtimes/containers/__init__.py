"""What can be known of any Linux container, and done to it, whoever started it and whatever is in its image."""

"""What brings a system up: one runtime, one file."""

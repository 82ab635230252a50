"""Readers of telemetry: a file a kind of source; what they share begins with an underscore."""

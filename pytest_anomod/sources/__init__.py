"""Readers of telemetry, one per kind of source; those of other people's systems take what they find, and count it."""

"""Readers of telemetry, one for each kind of source; they count the records that they can't use."""

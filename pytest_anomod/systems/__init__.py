"""One system, one file: services, calls, entry, journeys."""

"""The host of plain commands: a program of its own that starts, supervises and relays, with the standard library."""

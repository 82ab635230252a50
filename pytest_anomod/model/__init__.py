"""Pure values and protocols of the project; standard library only, no I/O beyond the clock."""

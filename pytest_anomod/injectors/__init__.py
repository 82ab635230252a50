"""Injectors, which carry faults out, a folder each with its means. Injectors import faults, never the reverse."""

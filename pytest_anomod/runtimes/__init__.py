"""Runtimes: they bring systems up and take them down completely, also when their owner dies."""

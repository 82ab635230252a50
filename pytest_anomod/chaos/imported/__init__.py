"""Chaos Toolkit experiments that other people wrote: read, checked and played unchanged, in a process of their own."""

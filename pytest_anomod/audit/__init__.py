"""Finds leaks of a dataset's label, and defects of its cases; one file for each rule in `rules`."""

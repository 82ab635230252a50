"""Finds what gives the label of a dataset away, and what is wrong with its cases; a rule a file in `rules`."""

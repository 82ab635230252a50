"""Plain functions from a case to findings, and the verdict they add up to."""

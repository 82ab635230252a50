"""Agents for other people's services, put in by environment and a read-only mount: a file for each language."""

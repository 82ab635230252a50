"""Workloads, which drive a system during a case, a file each."""

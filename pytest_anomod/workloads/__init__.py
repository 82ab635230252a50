"""What drives a system while it is watched: one workload, one file."""
